// Small habits of forms: a select that submits on change, and a guard against leaving with unsaved changes.

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submits]")) event.target.form.requestSubmit();
});

const changed = new Set();
const note = (event) => {
  const form = event.target.closest?.("form[data-guard]");
  if (form) changed.add(form);
};
document.addEventListener("input", note);
document.addEventListener("edit", note);
document.addEventListener("submit", (event) => changed.delete(event.target));

/** Says whether leaving the page would lose something; pages with an editor add their own question. */
export const unsaved = [() => [...changed].some((form) => form.isConnected)];

window.addEventListener("beforeunload", (event) => {
  if (unsaved.some((ask) => ask())) event.preventDefault();
});
