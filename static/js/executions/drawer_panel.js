// The drawer beside the monitor's list: the overview of one execution, so that one never loses the list.
// A click on a row opens it (on the name, the page), j and k move it along, o shows and hides it.
import { refreshTimes } from "../ui/times.js";
import { toast } from "../ui/toasts.js";
import { fetchText } from "./row_cells.js";

let shown = null; // the id it shows
let version = 0;
let again = null;

const drawer = () => document.getElementById("drawer");
export const isDrawerOpen = () => shown !== null;
export const drawerShows = (id) => shown === id;

/** Fetches the overview again when the execution has moved on; at most twice a second. */
export function refreshDrawer(row) {
  if (row.version <= version || again !== null) return;
  again = setTimeout(() => { again = null; if (shown) load(shown); }, 500);
}

export function closeDrawer() {
  if (shown === null) return;
  shown = null;
  drawer().hidden = true;
  document.getElementById("monitor").classList.remove("has-drawer");
}

async function open(id) {
  shown = id;
  version = 0;
  document.getElementById("monitor").classList.add("has-drawer");
  await load(id);
}

async function load(id) {
  try {
    const html = await fetchText(`/executions/${id}/drawer`);
    if (shown !== id) return;
    const place = drawer();
    const scrolled = place.scrollTop;
    version = Number(document.querySelector(`tr[data-id="${id}"]`)?.dataset.version ?? 0);
    place.innerHTML = html;
    place.hidden = false;
    place.scrollTop = scrolled;
    refreshTimes(place);
  } catch (error) {
    closeDrawer();
    toast(error.message, { kind: "err" });
  }
}

function makeCurrent(tr) {
  for (const other of document.querySelectorAll("#monitor-rows .is-current")) other.classList.remove("is-current");
  tr.classList.add("is-current");
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-drawer-close]")) { closeDrawer(); return; }
  if (event.target.closest("#toggle-drawer")) {
    const current = document.querySelector("#monitor-rows .is-current") ?? document.querySelector("#monitor-rows tr[data-row]");
    if (shown) closeDrawer();
    else if (current) { makeCurrent(current); open(current.dataset.id); }
  }
});

// In the capturing phase: the shared row script would follow the row's link.
document.addEventListener("click", (event) => {
  const tr = event.target.closest?.("#monitor-rows tr[data-row]");
  if (!tr || event.target.closest("a, button, input, label") || event.ctrlKey || event.metaKey || String(getSelection())) return;
  if (event.target.closest(".pick")) return;
  event.preventDefault();
  makeCurrent(tr);
  if (shown === tr.dataset.id) closeDrawer();
  else open(tr.dataset.id);
}, true);

document.addEventListener("focusin", (event) => {
  const tr = event.target.closest?.("#monitor-rows tr[data-row].is-current");
  if (tr && shown && shown !== tr.dataset.id) open(tr.dataset.id);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shown && !document.querySelector("dialog[open]") && !event.defaultPrevented) closeDrawer();
});
