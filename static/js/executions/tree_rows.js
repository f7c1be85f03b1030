// Rows that unfold: a click on a row's toggle fetches its children and puts them below it.
import { toast } from "../ui/toasts.js";
import { fetchText, rowFor, rowsFrom } from "./row_cells.js";
import { refreshTimes } from "../ui/times.js";

function isNarrow(table) {
  return table.hasAttribute("data-narrow");
}

function childrenUrl(id, depth, after, table) {
  const query = new URLSearchParams({ depth });
  if (after) query.set("after", after);
  if (isNarrow(table)) query.set("narrow", "1");
  return `/executions/${id}/children?${query}`;
}

/** The rows below `tr` that belong to its subtree. */
function subtree(tr) {
  const depth = Number(tr.dataset.depth);
  const below = [];
  for (let next = tr.nextElementSibling; next && Number(next.dataset.depth) > depth; next = next.nextElementSibling) below.push(next);
  return below;
}

export function isOpen(tr) {
  return tr.querySelector("[data-expand]")?.getAttribute("aria-expanded") === "true";
}

/** Shows that a row has children, which were not there when it was drawn. */
export function mayUnfold(tr) {
  const toggle = tr.querySelector("[data-expand]");
  if (toggle) toggle.hidden = false;
}

async function unfold(tr) {
  const toggle = tr.querySelector("[data-expand]");
  toggle.setAttribute("aria-expanded", "true");
  await addChildren(tr.dataset.id, Number(tr.dataset.depth) + 1, null, tr, tr.closest("table"));
}

function fold(tr) {
  tr.querySelector("[data-expand]").setAttribute("aria-expanded", "false");
  for (const below of subtree(tr)) below.remove();
}

async function addChildren(id, depth, after, behind, table) {
  try {
    const made = rowsFrom(await fetchText(childrenUrl(id, depth, after, table))).filter((row) => !row.dataset.id || !rowFor(row.dataset.id, table));
    behind.after(...made);
    made.forEach((row) => refreshTimes(row));
  } catch (error) {
    toast(error.message, { kind: "err" });
  }
}

const loading = new Map(); // parent id → the fetch under way, so that many new children cost few requests

/** Puts children that are new below those of an unfolded row (or at the end of the whole list of a parent). */
export function addNewChildren(parentId, table) {
  if (loading.has(parentId)) { loading.set(parentId, true); return; }
  loading.set(parentId, false);
  setTimeout(async () => {
    const again = () => { const more = loading.get(parentId); loading.delete(parentId); if (more) addNewChildren(parentId, table); };
    const shown = [...table.querySelectorAll(`tr[data-parent="${parentId}"]`)];
    if (shown.some((row) => row.classList.contains("more-children"))) { again(); return; } // they wait behind "more"
    const parent = rowFor(parentId, table);
    const last = shown.at(-1);
    const behind = last ? subtree(last).at(-1) ?? last : parent;
    if (behind && (!parent || isOpen(parent))) {
      await addChildren(parentId, last ? Number(last.dataset.depth) : Number(parent.dataset.depth) + 1, last?.dataset.id, behind, table);
    }
    again();
  }, 300);
}

document.addEventListener("click", async (event) => {
  const toggle = event.target.closest("[data-expand]");
  if (toggle) {
    const tr = toggle.closest("tr");
    if (toggle.getAttribute("aria-expanded") === "true") fold(tr);
    else await unfold(tr);
    return;
  }
  const more = event.target.closest("[data-more-children]");
  if (more) {
    const tr = more.closest("tr");
    more.disabled = true;
    await addChildren(more.dataset.moreChildren, Number(tr.dataset.depth), more.dataset.after, tr, tr.closest("table"));
    tr.remove();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  const tr = event.target.closest?.("tr[data-depth]");
  const toggle = tr?.querySelector("[data-expand]:not([hidden])");
  if (!toggle || event.target.matches("input")) return;
  if ((event.key === "ArrowRight") !== isOpen(tr)) { event.preventDefault(); toggle.click(); }
});
