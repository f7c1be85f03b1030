// Calls of a webhook, in its log and on its page: [data-calls-of="<id>"]. New ones, and what becomes of them, appear by
// themselves, or behind a pill while the person is at the list.
import { follow, onTopic } from "./live.js";
import { element } from "./ui/icon.js";
import { refreshTimes } from "./ui/times.js";

const PAUSE = 500;
let box = document.querySelector("[data-calls-of]");
let timer = null;

const shown = () => [...box.querySelectorAll("[data-execution]")];

// What the calls started has a status, too, which goes on changing behind the answer.
function wish() {
  return { subscribe: "monitor", filter: { flow: box.dataset.flow }, ids: shown().map((row) => row.dataset.execution) };
}

function hear(message) {
  if (message.type !== "snapshot" && message.type !== "changes") return;
  const status = new Map(message.rows.map((row) => [row.id, row.status]));
  if (shown().some((row) => (status.get(row.dataset.execution) ?? row.dataset.status) !== row.dataset.status)) soon();
}

function soon() {
  timer ??= setTimeout(showNew, PAUSE * (1 + Math.random()));
}

function isBeingRead() {
  return box.matches(":hover") || box.contains(document.activeElement) || document.hidden;
}

function showNew() {
  timer = null;
  if (!isBeingRead()) { refresh(); return; }
  if (box.querySelector(".new-pill")) return;
  const pill = element("button", { class: "new-pill", type: "button" }, "There is news");
  pill.addEventListener("click", refresh);
  (box.querySelector(".table-wrap, .empty") ?? box.lastElementChild).before(pill);
}

async function refresh() {
  const response = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("[data-calls-of]");
  if (!fresh) return;
  box.replaceWith(document.adoptNode(fresh));
  box = fresh;
  refreshTimes(box);
  follow(wish, hear);
}

if (box && !new URLSearchParams(location.search).has("after")) { // older calls stay what they are
  follow(wish, hear);
  onTopic("webhook_calls", (about) => { if (!about || about.includes(box.dataset.callsOf)) soon(); });
}
