// Native <dialog>s: [data-opens="id"] opens, a[data-dialog] opens what its address answers, [data-closes] closes;
// the browser traps the focus and we return it.
// confirmAction() asks before something goes; forms and buttons ask with data-confirm, htmx with hx-confirm.
import { element } from "./icon.js";

/** Opens a dialog and gives the focus back to where it was when it closes. */
export function openDialog(dialog) {
  const before = document.activeElement;
  dialog.showModal();
  dialog.addEventListener("close", () => before?.isConnected && before.focus(), { once: true });
}

/** Asks, naming what goes; resolves to true when the person agrees. */
export function confirmAction({ title, text = "", action = "Delete", isDanger = true }) {
  return new Promise((resolve) => {
    const cancel = element("button", { class: "button", value: "cancel", formnovalidate: true }, "Keep");
    const agree = element("button", { class: `button ${isDanger ? "button-danger" : "button-primary"}`, value: "yes" }, action);
    if (!isDanger) cancel.textContent = "Cancel";
    const dialog = element("dialog", { "aria-labelledby": "confirm-title" },
      element("form", { method: "dialog" },
        element("div", { class: "dialog-header" }, element("h2", { id: "confirm-title" }, title)),
        element("div", { class: "dialog-body" }, element("p", {}, text)),
        element("div", { class: "dialog-actions" }, cancel, agree)));
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); });
    document.body.append(dialog);
    openDialog(dialog);
    (isDanger ? cancel : agree).focus();
  });
}

/** Opens what an address answers as a dialog; without scripts its link leads to a page of its own. */
async function openAddress(link) {
  const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
  if (!answer.ok || answer.redirected) { location.assign(link.href); return; }
  const dialog = element("dialog", { class: "wide", "aria-label": link.textContent.trim() });
  dialog.append(document.createRange().createContextualFragment(await answer.text()));
  document.body.append(dialog);
  window.htmx?.process(dialog);
  openDialog(dialog);
  dialog.addEventListener("close", () => dialog.remove(), { once: true });
  dialog.querySelector(".dialog-body :is(input:not([type=hidden], [type=radio]), select, textarea)")?.focus();
}

function question(source) {
  const { confirm, confirmText, confirmAction: action } = source.dataset;
  return { title: confirm, text: confirmText ?? "", action: action ?? "Delete", isDanger: source.dataset.confirmKind !== "plain" };
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openAddress(link).catch(() => location.assign(link.href));
    return;
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (dialog) { event.preventDefault(); openDialog(dialog); }
    return;
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  else if (event.target instanceof HTMLDialogElement && isOutside(event)) event.target.close();
});

// A click on the backdrop has the dialog itself as target and lies outside its box.
function isOutside(event) {
  const box = event.target.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

const agreed = new WeakSet();
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const source = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!source.dataset.confirm || agreed.has(form)) { agreed.delete(form); return; }
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await confirmAction(question(source))) {
    agreed.add(form);
    form.requestSubmit(event.submitter);
  }
}, true);

document.addEventListener("htmx:confirm", async (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const source = event.detail.elt;
  const asked = { ...question(source), title: event.detail.question };
  if (await confirmAction(asked)) event.detail.issueRequest(true);
});

for (const dialog of document.querySelectorAll("dialog[data-open-now]")) openDialog(dialog);
