// Brings a row of a list of executions up to date in place. Rows are drawn by the server (executions/row.html);
// this changes only what moves: status, message, length.
import { element } from "../ui/icon.js";
import { statusBadge } from "../ui/status.js";
import { durationText, refreshTimes } from "../ui/times.js";

/** The row on the page that shows this execution. */
export function rowFor(id, scope = document) {
  return scope.querySelector(`tr[data-row][data-id="${id}"]`);
}

/** Shows the newer state; an older one than shown is ignored. Tells whether anything was changed. */
export function patchRow(tr, row) {
  if (row.version < Number(tr.dataset.version ?? 0)) return false;
  tr.dataset.version = row.version;
  if (tr.dataset.status !== row.status) {
    tr.dataset.status = row.status;
    tr.querySelector(".badge[data-status]")?.replaceWith(statusBadge(row.status));
  }
  const line = tr.querySelector(".message");
  if (line) showLine(line, row);
  const took = tr.querySelector(".length");
  if (took) showLength(took, row);
  return true;
}

function showLine(cell, row) {
  const time = cell.querySelector("time");
  const shown = time ? cell.firstChild.textContent.trim() : cell.textContent.trim();
  const isSameTime = row.until ? time && Date.parse(time.dateTime) === Date.parse(row.until) : !time;
  if (shown === row.line && isSameTime) return;
  cell.replaceChildren(row.line);
  if (row.until) {
    cell.append(" ", element("time", { datetime: row.until, "data-relative": true }));
    refreshTimes(cell);
  }
}

function showLength(cell, row) {
  if (!row.started_at) return;
  if (row.ended_at) {
    cell.textContent = durationText((Date.parse(row.ended_at) - Date.parse(row.started_at)) / 1000);
  } else if (!cell.querySelector("[data-since]")) {
    cell.replaceChildren(element("span", { "data-since": row.started_at }));
    refreshTimes(cell);
  }
}

/** Rows (and other table parts) from the markup the server sent. */
export function rowsFrom(html) {
  const template = document.createElement("template");
  template.innerHTML = `<table><tbody>${html}</tbody></table>`;
  const made = [...template.content.querySelectorAll("tbody > tr")];
  return made;
}

/** Fetches a piece of a page. */
export async function fetchText(url, options = {}) {
  const response = await fetch(url, { credentials: "same-origin", ...options });
  if (!response.ok) throw new Error(`The server could not answer (${response.status}).`);
  return response.text();
}
