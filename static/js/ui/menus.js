// Menus behind buttons: .menu > button[aria-expanded] + .menu-list[hidden]. Arrow keys move, Escape returns the focus.

const ITEMS = ":is(a[href], button:not(:disabled))";

function close(menu, returnFocus = false) {
  const button = menu.querySelector(":scope > [aria-expanded]");
  const list = menu.querySelector(":scope > .menu-list");
  if (!button || list.hidden) return;
  list.hidden = true;
  button.setAttribute("aria-expanded", "false");
  if (returnFocus) button.focus();
}

function open(menu, focusFirst) {
  for (const other of document.querySelectorAll(".menu")) if (other !== menu) close(other);
  const list = menu.querySelector(":scope > .menu-list");
  list.hidden = false;
  menu.querySelector(":scope > [aria-expanded]").setAttribute("aria-expanded", "true");
  list.classList.remove("start");
  if (list.getBoundingClientRect().left < 4) list.classList.add("start");
  if (focusFirst) list.querySelector(ITEMS)?.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".menu > [aria-expanded]");
  if (button) {
    const menu = button.parentElement;
    if (button.getAttribute("aria-expanded") === "true") close(menu);
    else open(menu, event.detail === 0);
    return;
  }
  const inside = event.target.closest(".menu");
  for (const menu of document.querySelectorAll(".menu")) {
    if (menu !== inside || event.target.closest(`.menu-list ${ITEMS}`)) close(menu);
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu");
  if (!menu) return;
  const list = menu.querySelector(":scope > .menu-list");
  if (event.key === "Escape" && !list.hidden) { event.preventDefault(); close(menu, true); return; }
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  if (list.hidden) { open(menu, true); return; }
  const items = [...list.querySelectorAll(ITEMS)];
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  items[(next + items.length) % items.length]?.focus();
});

document.addEventListener("focusin", (event) => {
  for (const menu of document.querySelectorAll(".menu")) if (!menu.contains(event.target)) close(menu);
});
