// Short notes in the corner, with undo. Django's messages arrive as markup; scripts call toast();
// a response may carry HX-Trigger: {"toast": {"text": "Saved", "kind": "ok"}}.
import { element, icon } from "./icon.js";

const ICONS = { ok: "circle-check", err: "alert-circle", pause: "alert-triangle", run: "info-circle" };

/** Shows a note. kind: ok, err, pause, run. undo: {label, url} posts to the url and goes where that leads. */
export function toast(text, { kind = "ok", undo = null } = {}) {
  const box = document.getElementById("toasts");
  const note = element("div", { class: `toast ${kind}`, role: kind === "err" ? "alert" : "status" },
    icon(ICONS[kind] ?? ICONS.run), element("div", { class: "toast-text" }, text));
  if (undo) {
    const button = element("button", { class: "undo", type: "button" }, undo.label ?? "Undo");
    button.addEventListener("click", () => { note.remove(); post(undo.url); });
    note.append(button);
  }
  note.append(element("button", { class: "close", type: "button", "aria-label": "Dismiss" }, icon("x")));
  box.append(note);
  raise(box);
  leaveLater(note, Boolean(undo) || kind === "err");
  return note;
}

/** Posts an empty form to `url` as the browser would, so that the answer's redirect is followed. */
export function post(url, fields = {}) {
  const form = element("form", { method: "post", action: url, hidden: true });
  const all = { csrfmiddlewaretoken: csrfToken(), ...fields };
  for (const [name, value] of Object.entries(all)) form.append(element("input", { name, value }));
  document.body.append(form);
  form.submit();
}

/** The token that POST requests need; the page carries it in <body data-csrf>. */
export function csrfToken() {
  return document.body.dataset.csrf ?? "";
}

// Over an open dialog only the top layer is visible; showing the corner as a popover puts it there.
function raise(box) {
  if (!box.showPopover) return;
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
}

function leaveLater(note, isLong) {
  let timer;
  const start = () => { timer = setTimeout(() => note.remove(), isLong ? 12000 : 5000); };
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", start);
  note.addEventListener("focusin", () => clearTimeout(timer));
  start();
}

document.addEventListener("click", (event) => event.target.closest(".toast .close")?.closest(".toast").remove());
document.addEventListener("toast", (event) => toast(event.detail.text, event.detail));

const given = document.querySelectorAll("#toasts .toast");
if (given.length) raise(document.getElementById("toasts"));
for (const note of given) leaveLater(note, note.matches(".err, :has(.undo)"));
