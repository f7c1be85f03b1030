// Latest executions on the dashboard and on the pages of flows and projects: [data-latest='{"flow": "…"}'].
// Rows change in place. New ones appear by themselves, or behind a pill while the person is at the list.
import { patchRow } from "./executions/row_cells.js";
import { follow } from "./live.js";
import { element } from "./ui/icon.js";
import { isEnded, statusDot } from "./ui/status.js";
import { refreshTimes } from "./ui/times.js";

const PAUSE = 2000;
let box = document.querySelector("[data-latest]");
let timer = null;
const waiting = new Set();

const shown = () => [...box.querySelectorAll("[data-id]")];

function wish() {
  return { subscribe: "monitor", filter: JSON.parse(box.dataset.latest), ids: shown().map((row) => row.dataset.id) };
}

function hear(message) {
  if (message.type !== "snapshot" && message.type !== "changes") return;
  // Ids ascend with time: what is newer than the first row is new.
  const newest = shown().map((row) => row.dataset.id).sort().at(-1) ?? "";
  for (const row of message.rows) {
    const place = shown().find((item) => item.dataset.id === row.id);
    if (place) patch(place, row);
    else if (row.id > newest && !row.is_deleted) waiting.add(row.id);
  }
  if (waiting.size) timer ??= setTimeout(showNew, PAUSE);
}

function patch(place, row) {
  const before = place.dataset.status;
  if (!patchRow(place, row) || before === row.status) return;
  place.querySelector(".status-dot")?.replaceWith(statusDot(row.status));
  // The dashboard's numbers count what ended.
  if (isEnded(row.status) && box.matches("[data-latest-numbers]")) timer ??= setTimeout(showNew, PAUSE);
}

function isBeingRead() {
  return box.matches(":hover") || box.contains(document.activeElement) || document.hidden;
}

function showNew() {
  timer = null;
  if (!isBeingRead()) { refresh(); return; }
  if (!waiting.size) return;
  let pill = box.querySelector(".new-pill");
  if (!pill) {
    pill = element("button", { class: "new-pill", type: "button" });
    pill.addEventListener("click", refresh);
    (box.querySelector(".table-wrap, .run-list, .empty") ?? box.lastElementChild).before(pill);
  }
  pill.textContent = `${waiting.size} new`;
}

async function refresh() {
  const response = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("[data-latest]");
  if (!fresh) return;
  waiting.clear();
  box.replaceWith(document.adoptNode(fresh));
  box = fresh;
  refreshTimes(box);
  follow(wish, hear);
}

if (box) follow(wish, hear);
