// The page of one execution: parts marked data-live are fetched again when it (or its tree) moves on, rows of its
// children change in place, the log grows line by line.
import { follow, onTopic } from "../live.js";
import { setFaviconDot } from "../ui/favicon.js";
import { refreshTimes } from "../ui/times.js";
import { isEnded } from "../ui/status.js";
import { fetchText, patchRow, rowFor } from "./row_cells.js";
import { addNewChildren, isOpen, mayUnfold } from "./tree_rows.js";
import { LogView } from "./log_view.js";
import { mergeSavepoints } from "./savepoints.js";

const page = document.getElementById("execution");
const { id, tab } = page.dataset;
const table = document.querySelector(".children-table");
const logPlace = document.getElementById("log");
const log = logPlace ? new LogView(logPlace) : null;
const versions = new Map(); // id → the highest version heard
const html = new Map(); // name of a part → what the server sent last, to leave alone what did not change

const LIVE_TREE = ["overview", "timeline"]; // tabs that show the tree
const PAUSE_MS = { overview: 700, timeline: 1000 };

const head = () => page.querySelector('[data-live="head"]');
versions.set(id, Number(head().dataset.version));
setFaviconDot(head().dataset.group);

function wish() {
  const shown = table ? [...table.querySelectorAll("tr[data-row]")].map((row) => row.dataset.id).slice(0, 499) : [];
  return { subscribe: "execution", id, ids: shown, log_after: log ? log.last : tab === "overview" ? lastLine() : null };
}

function lastLine() {
  return Number(document.querySelector('[data-live="log-tail"] .log-line:last-child .no')?.textContent ?? 0);
}

function hear(message) {
  if (message.type === "log") {
    if (log) log.hear(message);
    else if (message.last > lastLine()) refreshSoon(400);
  }
  for (const row of message.rows ?? []) hearRow(row);
}

function hearRow(row) {
  const known = versions.get(row.id) ?? 0;
  if (row.version < known) return;
  versions.set(row.id, row.version);
  const isNews = row.version > known;
  if (row.id === id) {
    if (isNews) { refreshSoon(80); log?.setEnded(isEnded(row.status)); }
    return;
  }
  if (table) hearChild(row);
  else if (isNews && LIVE_TREE.includes(tab)) refreshSoon(PAUSE_MS[tab]);
}

function hearChild(row) {
  const tr = rowFor(row.id, table);
  if (tr) { patchRow(tr, row); return; }
  if (row.parent_id === id) {
    if (table.querySelector("tr[data-row]")) addNewChildren(id, table);
    else location.reload(); // the first child takes the place of the explanation
    return;
  }
  const parent = rowFor(row.parent_id, table);
  if (parent) { mayUnfold(parent); if (isOpen(parent)) addNewChildren(row.parent_id, table); }
}

// -- Parts that the server draws

let timer = null;
let dueAt = 0;
let isFetching = false;
let isStale = false;

function refreshSoon(pause) {
  const at = Date.now() + pause;
  if (timer !== null && dueAt <= at) return;
  clearTimeout(timer);
  dueAt = at;
  timer = setTimeout(refresh, pause);
}

async function refresh() {
  timer = null;
  if (isFetching) { isStale = true; return; }
  isFetching = true;
  try {
    const template = document.createElement("template");
    template.innerHTML = await fetchText(location.href.split("#")[0], { headers: { "X-Live": "1" } });
    for (const part of template.content.querySelectorAll("[data-live]")) put(part);
    setFaviconDot(head().dataset.group);
  } catch { /* the next news tries again; the top bar tells that the server is away */ }
  isFetching = false;
  if (isStale) { isStale = false; refreshSoon(500); }
}

function put(part) {
  const { live } = part.dataset;
  const old = document.querySelector(`[data-live="${live}"]`) ?? (live === "message" || live === "error" ? document.querySelector('[data-live="error"], [data-live="message"]') : null);
  const text = part.outerHTML;
  if (!old || html.get(live) === text) return;
  html.set(live, text);
  // An open menu or a focused button must not vanish under the hand.
  if (old.querySelector(".menu-list:not([hidden])") || document.querySelector("dialog[open]")) { html.delete(live); refreshSoon(1500); return; }
  if (part.dataset.stamp && part.dataset.stamp === old.dataset.stamp) return;
  for (const each of part.querySelectorAll("[data-keep]")) {
    const same = old.querySelector(`[data-keep="${each.dataset.keep}"]`);
    if (same) each.replaceWith(same); // with what was typed into it
  }
  for (const said of old.querySelectorAll("[data-keep]:has([role=alert])")) { part.append(said); part.hidden = false; }
  if (live === "savepoints" && mergeSavepoints(old, part)) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.textContent.trim() : null;
  old.replaceWith(part);
  refreshTimes(part);
  window.htmx?.process(part);
  if (focused) [...part.querySelectorAll("button, a")].find((each) => each.textContent.trim() === focused)?.focus();
}

// A timeline with a living execution grows with time.
setInterval(() => {
  if (!document.hidden && document.querySelector("[data-live][data-grows]")) refreshSoon(0);
}, 2000);

// The marked line of the script, also when the address already named one.
function markLine() {
  const line = /^#S\d+$/.test(location.hash) ? document.querySelector(location.hash) : null;
  for (const old of document.querySelectorAll(".is-target")) old.classList.remove("is-target");
  if (!line) return;
  line.classList.add("is-target");
  line.nextElementSibling?.classList.add("is-target");
  line.scrollIntoView({ block: "center" });
}

addEventListener("hashchange", markLine);
if (tab === "script") {
  markLine();
  if (!location.hash) document.querySelector(".script-whole .is-marked")?.scrollIntoView({ block: "center" });
}

onTopic(null, (about) => { if (tab === "overview" && (about?.includes(id) ?? true)) refreshSoon(80); });
follow(wish, hear);
