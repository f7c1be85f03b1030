// Keeps moments and durations true while the page is open: <time data-relative>, and data-since counters.
// The server's clock decides: <html data-now> tells it, so a wrong clock in the browser does no harm.

const root = document.documentElement;
const skew = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;

/** The server's time now, in milliseconds. */
export function serverNow() {
  return Date.now() + skew;
}

/** "in 5 min", "12 s ago", "yesterday 14:03", "3 Mar", "3 Mar 2024". */
export function relativeText(moment, now = serverNow()) {
  const past = (now - moment) / 1000;
  const size = Math.abs(past);
  const say = (text) => (past >= 0 ? `${text} ago` : `in ${text}`);
  if (size < 2) return past >= 0 ? "just now" : "now";
  if (size < 60) return say(`${Math.floor(size)} s`);
  if (size < 3600) return say(`${Math.floor(size / 60)} min`);
  if (size < 86400) return say(`${Math.floor(size / 3600)} h`);
  const at = new Date(moment);
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const days = Math.round((startOfDay(new Date(now)) - startOfDay(at)) / 86400000);
  if (days === 1) return `yesterday ${clock}`;
  if (days === -1) return `tomorrow ${clock}`;
  const sameYear = at.getFullYear() === new Date(now).getFullYear();
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) });
  return Math.abs(days) < 7 ? `${day} ${clock}` : day;
}

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** "0.04 s", "7.2 s", "1 min 05 s", "2 h 03 min", "3 d 4 h". */
export function durationText(seconds) {
  const s = Math.max(0, seconds);
  if (s < 0.1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Brings all moments and counters inside `scope` up to date. */
export function refreshTimes(scope = document) {
  const now = serverNow();
  for (const time of scope.querySelectorAll("time[data-relative]")) {
    const text = relativeText(Date.parse(time.dateTime), now);
    if (time.textContent !== text) time.textContent = text;
    if (!time.title) time.title = new Date(time.dateTime).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  }
  for (const time of scope.querySelectorAll("time[data-clock]")) {
    const text = new Date(time.dateTime).toLocaleTimeString("en-GB", { hour12: false });
    if (time.textContent !== text) time.textContent = text;
  }
  for (const counter of scope.querySelectorAll("[data-since]")) {
    const seconds = (now - Date.parse(counter.dataset.since)) / 1000;
    const text = seconds < 10 ? `${Math.max(0, Math.floor(seconds))} s` : durationText(seconds);
    if (counter.textContent !== text) counter.textContent = text;
  }
}

refreshTimes();
document.addEventListener("htmx:afterSettle", (event) => refreshTimes(event.target.parentElement ?? document));
setInterval(() => {
  if (!document.hidden) refreshTimes();
}, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshTimes(); });
