// How each status looks, for scripts that draw badges from live data. Templates use {% status_badge %};
// both must tell the same, so a test compares this table with records/templatetags/ui.py.
import { element, icon } from "./icon.js";

export const STATUS_LOOKS = {
  CREATED: ["off", "circle-dashed", "Created"],
  SCHEDULED: ["wait", "calendar-time", "Scheduled"],
  QUEUED: ["wait", "clock", "Queued"],
  RUNNING: ["run", "loader-2", "Running"],
  WAITING_FOR_DEPENDENCY: ["wait", "sitemap", "Waiting for executions"],
  WAITING_FOR_MESSAGE: ["wait", "message-question", "Waiting for an answer"],
  WAITING_FOR_LOCK: ["wait", "lock", "Waiting for a lock"],
  SLEEPING: ["wait", "zzz", "Sleeping"],
  PAUSED: ["pause", "player-pause", "Paused"],
  ENDED_SUCCESS: ["ok", "circle-check", "Success"],
  ENDED_ERROR: ["err", "circle-x", "Error"],
  ENDED_CANCELLED: ["off", "ban", "Cancelled"],
};

export function lookOf(status) {
  return STATUS_LOOKS[status] ?? ["off", "circle", String(status)];
}

export function isEnded(status) {
  return String(status).startsWith("ENDED_");
}

/** The same markup as {% status_badge %}. */
export function statusBadge(status, large = false) {
  const [group, name, word] = lookOf(status);
  const classes = `badge ${group}${large ? " badge-large" : ""}`;
  return element("span", { class: classes, "data-status": status }, icon(name, name === "loader-2" ? "spin-when-running" : ""), word);
}

/** The same markup as {% status_dot %}. */
export function statusDot(status) {
  const [group, name, word] = lookOf(status);
  const mark = icon(name);
  mark.removeAttribute("aria-hidden");
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", word);
  return element("span", { class: `status-dot ${group}`, title: word }, mark);
}

/** The same markup as {% mode_badge %}: nothing for productive executions. */
export function modeBadge(isProductive) {
  return isProductive ? null : element("span", { class: "badge badge-dev", title: "Development mode" }, icon("flask"), "dev");
}
