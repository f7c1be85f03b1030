// The bell: its number stays current, and messages that open by themselves come up as dialogs. Loaded by every page.
import { onTopic } from "./live.js";
import { openDialog } from "./ui/dialogs.js";
import { element, icon } from "./ui/icon.js";
import { fetchJson } from "./ui/requests.js";

const SEEN = "engine-popups-seen"; // of this tab: what was put aside does not come up again
const SPREAD_MS = 400; // many browsers hear at once and need not ask at once
const bell = document.getElementById("bell");

function seen() {
  try { return new Set(JSON.parse(sessionStorage.getItem(SEEN) ?? "[]")); } catch { return new Set(); }
}

function markSeen(id) {
  try { sessionStorage.setItem(SEEN, JSON.stringify([...seen(), id].slice(-200))); } catch { /* it comes up once more */ }
}

let timer = null;
function refreshSoon(pause = 50 + Math.random() * SPREAD_MS) {
  timer ??= setTimeout(refresh, pause);
}

async function refresh() {
  timer = null;
  try {
    const { count, text, popups } = await fetchJson(bell.dataset.bellUrl);
    const shown = bell.querySelector("[data-bell-count]");
    shown.hidden = count === 0;
    shown.textContent = text;
    bell.querySelector("[data-bell-words]").textContent = `${text} waiting for you`;
    popUp(popups);
    if (document.querySelector("[data-inbox-rows]")) window.htmx?.ajax("GET", location.href, { target: "[data-inbox-rows]", swap: "innerHTML" });
  } catch { /* the next news tries again; the top bar tells that the server is away */ }
}

let open = null; // the popup that is shown now, one at a time
let isOpening = false;
async function popUp(ids) {
  if (open && !ids.includes(open.dataset.message) && open.querySelector("form")) {
    open.querySelector("[data-popup-body]").replaceChildren(await card(open.dataset.message)); // answered elsewhere
  }
  if (open || isOpening) return;
  isOpening = true;
  try {
    const known = seen();
    for (const id of ids) {
      if (known.has(id) || document.getElementById(`message-${id}`)) continue;
      const content = await card(id);
      if (isDrawnHere(content)) continue;
      if (!document.querySelector("dialog[open]")) show(id, content);
      return;
    }
  } finally { isOpening = false; }
}

/** Tells whether the page is the one of the execution that asks, which has the form in its midst. */
function isDrawnHere(content) {
  const { execution } = content.querySelector(".message-card").dataset;
  return document.getElementById("execution")?.dataset.id === execution && document.querySelector('[data-live="messages"]') !== null;
}

function show(id, content) {
  markSeen(id);
  const close = element("button", { class: "button button-quiet button-icon", type: "button", "data-closes": true, "aria-label": "Later" }, icon("x"));
  const body = element("div", { class: "dialog-body", "data-popup-body": true });
  body.append(content);
  open = element("dialog", { class: "popup", "data-message": id, "aria-label": "A message for you" }, element("div", { class: "dialog-header" }, element("span", { class: "muted" }, "A message for you"), close), body);
  document.body.append(open);
  window.htmx?.process(open);
  open.addEventListener("close", (event) => {
    event.target.remove();
    open = null;
    refreshSoon(0);
  });
  openDialog(open);
  open.querySelector("input:not([type=hidden]), textarea, select, .button-primary")?.focus();
}

async function card(id) {
  const answer = await fetch(`${bell.dataset.bellUrl.replace(/bell$/, "")}${id}/card`);
  if (!answer.ok) throw new Error(String(answer.status));
  return document.createRange().createContextualFragment(await answer.text());
}

if (bell) {
  onTopic("inbox", () => refreshSoon());
  popUp(bell.dataset.popups.split(" ").filter(Boolean)).catch(() => {});
  // An answer that was taken: the dialog it was given in has done its work.
  document.body.addEventListener("inbox:changed", (event) => {
    refreshSoon(0);
    const dialog = event.target.closest?.("dialog.popup") ?? open;
    const shown = dialog?.querySelector(".message-card");
    if (shown && shown.dataset.state !== "open" && !shown.querySelector("[role=alert]")) dialog.close();
  });
}
