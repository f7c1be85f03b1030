// The Execution Live Monitor: rows change in place, new ones wait behind a pill while somebody reads or selects.
import { follow } from "../live.js";
import { refreshTimes } from "../ui/times.js";
import { fetchJson } from "../ui/requests.js";
import { lookOf } from "../ui/status.js";
import { csrfToken, toast } from "../ui/toasts.js";
import { fetchText, patchRow, rowFor, rowsFrom } from "./row_cells.js";
import { addNewChildren, isOpen, mayUnfold } from "./tree_rows.js";
import { closeDrawer, drawerShows, isDrawerOpen, refreshDrawer } from "./drawer_panel.js";
import "./bulk.js";

const ROWS_AT_ONCE = 100;
const ROWS_KEPT = 300;
const LEAVES_AFTER_MS = 4000;

let filter = {};
let isTree = false;
let tbody = null;
let older = null; // watches for the end of the list
const waiting = new Set(); // ids of new rows that are not shown yet

const GROUPS = {
  active: (row) => !row.ended_at,
  running: (row) => row.status === "RUNNING",
  waiting: (row) => lookOf(row.status)[0] === "wait",
  paused: (row) => row.status === "PAUSED",
  success: (row) => row.status === "ENDED_SUCCESS",
  error: (row) => row.status === "ENDED_ERROR",
  cancelled: (row) => row.status === "ENDED_CANCELLED",
  created: (row) => row.status === "CREATED",
};
const fits = (row) => !row.is_deleted && (GROUPS[filter.group]?.(row) ?? true);
const topRows = () => [...tbody.querySelectorAll(isTree ? "tr[data-row][data-depth='0']" : "tr[data-row]")];

function begin() {
  const monitor = document.getElementById("monitor");
  filter = JSON.parse(monitor.dataset.filter);
  isTree = monitor.dataset.view === "tree";
  tbody = document.getElementById("monitor-rows");
  waiting.clear();
  showPill();
  watchEnd();
  countAll();
  follow(wish, hear);
}

function wish() {
  const shown = topRows().concat([...tbody.querySelectorAll("tr[data-row]")]).map((row) => row.dataset.id);
  return { subscribe: "monitor", filter, ids: [...new Set(shown)].slice(0, 500) };
}

// -- News

function hear(message) {
  if (message.type !== "snapshot" && message.type !== "changes") return;
  for (const row of message.rows) hearRow(row);
  if (waiting.size) showNewSoon();
}

function hearRow(row) {
  const tr = rowFor(row.id, tbody);
  if (drawerShows(row.id)) refreshDrawer(row);
  if (tr) {
    if (patchRow(tr, row)) (fits(row) ? stay : leave)(tr, row);
    return;
  }
  if (isTree && row.parent_id) {
    const parent = rowFor(row.parent_id, tbody);
    if (parent) { mayUnfold(parent); if (isOpen(parent)) addNewChildren(row.parent_id, tbody.closest("table")); }
    return;
  }
  if (!fits(row)) { waiting.delete(row.id); return; }
  const last = topRows().at(-1);
  // Behind the last shown row lie the older pages.
  if (!tbody.querySelector("tr.older") || !last || row.id > last.dataset.id) waiting.add(row.id);
}

const leaving = new Map();

function stay(tr) {
  clearTimeout(leaving.get(tr.dataset.id));
  leaving.delete(tr.dataset.id);
  tr.classList.remove("has-left");
}

// A row that no longer matches stays for a moment, so that one sees what became of it.
function leave(tr, row) {
  if (isTree && Number(tr.dataset.depth) > 0) return;
  tr.classList.add("has-left");
  clearTimeout(leaving.get(row.id));
  leaving.set(row.id, setTimeout(() => {
    if (tr.matches(":hover, .is-current, [aria-selected=true]") || drawerShows(row.id)) { leave(tr, row); return; }
    leaving.delete(row.id);
    tr.remove();
    showWhole();
  }, row.is_deleted ? 600 : LEAVES_AFTER_MS));
}

// -- New rows

function isReading() {
  return window.scrollY > 120 || isDrawerOpen() || tbody.matches(":hover") || tbody.contains(document.activeElement)
    || tbody.querySelector(".pick input:checked") !== null || String(getSelection()).length > 0;
}

let newTimer = null;

function showNewSoon() {
  if (newTimer === null) newTimer = setTimeout(() => { newTimer = null; if (isReading()) showPill(); else showNew(); }, 400);
}

function showPill() {
  const pill = document.getElementById("new-pill");
  pill.hidden = waiting.size === 0;
  pill.querySelector("[data-number]").textContent = waiting.size > 999 ? "999+" : waiting.size;
}

async function showNew() {
  if (!waiting.size) return;
  const ids = [...waiting].sort().reverse();
  waiting.clear();
  showPill();
  try {
    if (ids.length > ROWS_AT_ONCE) {
      tbody.innerHTML = await fetchText(`/executions/?${new URLSearchParams({ ...filter, part: "rows" })}`);
    } else {
      const body = new FormData();
      body.set("ids", ids.join(","));
      if (isTree) body.set("view", "tree");
      insert(rowsFrom(await fetchText("/executions/rows", { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } })));
    }
  } catch (error) {
    ids.forEach((id) => waiting.add(id));
    toast(error.message, { kind: "err" });
  }
  refreshTimes(tbody);
  trim();
  showWhole();
  watchEnd();
  countSoon();
}

function insert(made) {
  const shown = topRows();
  let at = 0;
  for (const tr of made) {
    if (rowFor(tr.dataset.id, tbody)) continue;
    while (at < shown.length && shown[at].dataset.id > tr.dataset.id) at += 1;
    if (at < shown.length) shown[at].before(tr);
    else tbody.querySelector("tr.older")?.before(tr) ?? tbody.append(tr);
    tr.classList.add("is-new");
  }
}

// The list may not grow for ever on a screen that hangs on a wall.
function trim() {
  const shown = topRows();
  if (shown.length <= ROWS_KEPT || isReading()) return;
  const last = shown[ROWS_KEPT - 51];
  while (last.nextElementSibling && !last.nextElementSibling.classList.contains("older")) last.nextElementSibling.remove();
  let end = tbody.querySelector("tr.older");
  if (!end) {
    [end] = rowsFrom('<tr class="older"><td colspan="8"><button class="button button-small" type="button" data-load-older>Older</button></td></tr>');
    tbody.append(end);
  }
  end.dataset.older = last.dataset.id;
}

function showWhole() {
  const number = tbody.querySelectorAll("tr[data-row]").length;
  document.querySelector(".monitor-table").hidden = number === 0;
  document.getElementById("monitor-empty").hidden = number > 0;
  const foot = document.getElementById("monitor-foot");
  foot.hidden = number === 0;
  foot.querySelector("[data-shown]").textContent = topRows().length;
}

// -- Older rows

function watchEnd() {
  older?.disconnect();
  const end = tbody.querySelector("tr.older");
  if (!end) return;
  older = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) loadOlder(end); }, { rootMargin: "300px" });
  older.observe(end);
}

async function loadOlder(end) {
  if (end.dataset.loading) return;
  end.dataset.loading = "yes";
  try {
    const made = rowsFrom(await fetchText(`/executions/?${new URLSearchParams({ ...filter, part: "rows", after: end.dataset.older })}`));
    end.before(...made.filter((tr) => !tr.dataset.id || !rowFor(tr.dataset.id, tbody)));
    end.remove();
    refreshTimes(tbody);
    showWhole();
    watchEnd();
  } catch (error) {
    delete end.dataset.loading;
    toast(error.message, { kind: "err" });
  }
}

// -- How many there are

let countTimer = null;

function countSoon() {
  if (countTimer === null) countTimer = setTimeout(() => { countTimer = null; countAll(); }, 10000);
}

async function countAll() {
  const place = document.querySelector("#monitor-foot [data-total]");
  try {
    const { text, count } = await fetchJson(`/executions/count?${new URLSearchParams(filter)}`);
    place.textContent = text;
    document.getElementById("monitor").dataset.total = count ?? "";
  } catch { place.textContent = "many"; }
}

// -- Clicks

document.addEventListener("click", (event) => {
  if (event.target.closest("#new-pill")) { scrollTo({ top: 0 }); showNew(); }
  const button = event.target.closest("[data-load-older]");
  if (button) loadOlder(button.closest("tr"));
});

let lastPicked = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest?.("#monitor-rows .pick input");
  if (!box) return;
  if (event.shiftKey && lastPicked?.isConnected) {
    const boxes = [...tbody.querySelectorAll(".pick input")];
    const [from, to] = [boxes.indexOf(lastPicked), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
  }
  lastPicked = box;
});

// Empty choices do not belong into the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-drop-empty]")) return;
  for (const [name, value] of Object.entries(event.detail.parameters)) if (value === "") delete event.detail.parameters[name];
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "monitor" || event.detail.elt?.id === "monitor") { closeDrawer(); begin(); }
});

begin();
