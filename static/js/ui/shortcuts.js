// Keyboard shortcuts of every page; `?` shows them. Pages add theirs with data-shortcut on a link or button,
// which the key then clicks: data-shortcut="r", "g f", "mod+s", "mod+enter".
import { openDialog } from "./dialogs.js";
import { moveRow, selectRow } from "./rows.js";

let leader = null;
let leaderTimer = null;

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=true]") != null;
}

function chordOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key.toLowerCase();
  return event.ctrlKey || event.metaKey ? `mod+${key}` : key;
}

function press(chord) {
  const target = [...document.querySelectorAll(`[data-shortcut="${CSS.escape(chord)}"]`)]
    .find((item) => !item.disabled && item.checkVisibility?.({ visibilityProperty: true }) !== false)
    ?? document.querySelector(`[data-shortcut-always="${CSS.escape(chord)}"]`);
  if (!target) return false;
  target.click();
  return true;
}

const BUILT_IN = {
  "/": () => document.getElementById("search-input")?.focus(),
  "?": () => { const help = document.getElementById("shortcuts-help"); if (help && !help.open) openDialog(help); },
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: selectRow,
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const chord = chordOf(event);
  if (chord.startsWith("mod+")) {
    if (["mod+s", "mod+enter"].includes(chord) && press(chord)) event.preventDefault();
    return;
  }
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const full = leader ? `${leader} ${chord}` : chord;
  if (leader) { clearTimeout(leaderTimer); leader = null; }
  if (press(full)) { event.preventDefault(); return; }
  if (chord === "g" && full === "g") {
    leader = "g";
    leaderTimer = setTimeout(() => { leader = null; }, 1200);
    return;
  }
  const act = full === chord ? BUILT_IN[chord] : null;
  if (act) { event.preventDefault(); act(); }
});
