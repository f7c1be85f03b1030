// Rows by keyboard: j/k moves in the page's [data-rows] table, Enter opens, x selects. Clicking a row opens its main link.
// Selecting: table[data-rows] with .pick checkboxes, an optional .pick-all, and a [data-bulk] bar that shows the number.

const TABLE = "[data-rows]";

export function rows() {
  return [...document.querySelectorAll(`${TABLE} > tbody > tr[data-row], ${TABLE} > [data-row]`)];
}

export function moveRow(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("is-current"));
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  all[at]?.classList.remove("is-current");
  next.classList.add("is-current");
  const link = next.querySelector("a.main, .main a, a");
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

export function selectRow() {
  const box = document.querySelector(`${TABLE} .is-current .pick input`);
  if (box) box.click();
}

/** The values of the picked rows' checkboxes. */
export function pickedRows(scope = document) {
  return [...scope.querySelectorAll(`${TABLE} .pick input:checked`)].map((box) => box.value);
}

function showPicked() {
  const boxes = [...document.querySelectorAll(`${TABLE} .pick input:not(.pick-all)`)];
  const picked = boxes.filter((box) => box.checked);
  for (const box of boxes) box.closest("[data-row]")?.setAttribute("aria-selected", String(box.checked));
  const all = document.querySelector(`${TABLE} .pick-all`);
  if (all) {
    all.checked = picked.length > 0 && picked.length === boxes.length;
    all.indeterminate = picked.length > 0 && picked.length < boxes.length;
  }
  const bar = document.querySelector("[data-bulk]");
  if (bar) {
    bar.hidden = picked.length === 0;
    for (const slot of bar.querySelectorAll("[data-picked-count]")) slot.textContent = picked.length;
  }
  document.dispatchEvent(new CustomEvent("rows:picked", { detail: { count: picked.length } }));
}

document.addEventListener("change", (event) => {
  if (!event.target.matches(`${TABLE} .pick input`)) return;
  if (event.target.matches(".pick-all")) {
    for (const box of document.querySelectorAll(`${TABLE} .pick input`)) box.checked = event.target.checked;
  }
  showPicked();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-pick-none]")) {
    for (const box of document.querySelectorAll(`${TABLE} .pick input`)) box.checked = false;
    showPicked();
    return;
  }
  const row = event.target.closest(`${TABLE} [data-row]`);
  if (!row || event.defaultPrevented || event.target.closest("a, button, input, label, select, summary, .menu")) return;
  if (String(window.getSelection())) return;
  const link = row.querySelector("a.main, .main a");
  if (!link) return;
  if (event.ctrlKey || event.metaKey) window.open(link.href, "_blank");
  else link.click();
});

document.addEventListener("htmx:afterSettle", showPicked);
