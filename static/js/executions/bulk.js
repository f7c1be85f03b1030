// Bulk actions of the monitor: on the picked rows, or on all that match; in pieces, with progress and what failed.
import { confirmAction, openDialog } from "../ui/dialogs.js";
import { element } from "../ui/icon.js";
import { fetchJson } from "../ui/requests.js";
import { pickedRows } from "../ui/rows.js";
import { csrfToken, toast } from "../ui/toasts.js";

const PIECE = 25;
const WORDS = {
  cancel: { title: "Cancel", action: "Cancel them", text: "Their processes get the chance to end in good order; children that belong to them go too.", done: "cancelled" },
  pause: { title: "Pause", action: "Pause them", text: "What runs pauses at its next call, what waits at once; children that belong to them pause too.", done: "paused" },
  resume: { title: "Resume", action: "Resume them", text: "Each goes on from its last savepoint; children that belong to them go on too.", done: "resumed" },
  rerun: { title: "Rerun", action: "Rerun them", text: "Each is started again with its inputs, on its flow's present script.", done: "started again" },
  delete: { title: "Delete", action: "Delete them", text: "They go to the trash and can be restored. Those that run are left alone.", done: "moved to the trash" },
};

let matching = null; // ids when "all that match" is chosen

async function send(url, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  const response = await fetch(url, { method: "POST", body, credentials: "same-origin", headers: { Accept: "application/json", "X-CSRFToken": csrfToken() } });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error?.message ?? `The server could not do this (${response.status}).`);
  return answer;
}

const number = (count) => count.toLocaleString("en-GB");

function showCount() {
  const count = matching?.length ?? pickedRows().length;
  for (const slot of document.querySelectorAll("[data-picked-count]")) slot.textContent = number(count);
}

async function pickMatching() {
  const filter = JSON.parse(document.getElementById("monitor").dataset.filter);
  try {
    const { ids, limit } = await send("/executions/matching", filter);
    matching = ids;
    showCount();
    document.getElementById("pick-matching").textContent = ids.length === limit ? `The newest ${number(limit)} that match` : `All ${number(ids.length)} that match`;
  } catch (error) {
    toast(error.message, { kind: "err" });
  }
}

async function act(action) {
  const ids = matching ?? pickedRows();
  const words = WORDS[action];
  const what = `${number(ids.length)} execution${ids.length === 1 ? "" : "s"}`;
  if (!await confirmAction({ title: `${words.title} ${what}?`, text: words.text, action: words.action, isDanger: ["cancel", "delete"].includes(action) })) return;
  const dialog = document.getElementById("bulk-dialog");
  const failed = [];
  let done = 0;
  let isStopped = false;
  const stop = dialog.querySelector("#bulk-stop");
  const close = dialog.querySelector("#bulk-close");
  stop.onclick = () => { isStopped = true; };
  dialog.oncancel = () => { isStopped = true; };
  stop.hidden = false;
  close.hidden = true;
  dialog.querySelector("#bulk-failed").hidden = true;
  dialog.querySelector("#bulk-title").textContent = `${words.title} ${what}`;
  openDialog(dialog);
  for (let from = 0; from < ids.length && !isStopped; from += PIECE) {
    showProgress(dialog, from, ids.length, `${number(from)} of ${number(ids.length)} done`);
    const piece = ids.slice(from, from + PIECE);
    try {
      const answer = await send("/executions/bulk", { action, ids: piece.join(",") });
      done += answer.done.length;
      failed.push(...answer.failed);
    } catch (error) {
      failed.push(...piece.map((id) => ({ id, name: id, message: error.message })));
      if (error instanceof TypeError) isStopped = true; // the server does not answer
    }
  }
  showProgress(dialog, 1, 1, `${number(done)} ${words.done}${failed.length ? `, ${number(failed.length)} not` : ""}${isStopped ? "; the rest was left as it is" : ""}.`);
  stop.hidden = true;
  close.hidden = false;
  close.focus();
  showFailed(dialog.querySelector("#bulk-failed"), failed);
  clear();
  if (!failed.length && !isStopped) { dialog.close(); toast(`${number(done)} ${words.done}.`); }
}

function showProgress(dialog, at, most, text) {
  const bar = dialog.querySelector("#bulk-progress");
  bar.max = most;
  bar.value = at;
  dialog.querySelector("#bulk-words").textContent = text;
}

function showFailed(list, failed) {
  list.replaceChildren(...failed.slice(0, 200).map((each) => element("li", {}, element("a", { href: `/executions/${each.id}/` }, each.name), `: ${each.message}`)));
  list.hidden = failed.length === 0;
}

function clear() {
  matching = null;
  document.querySelector("[data-pick-none]")?.click();
  const button = document.getElementById("pick-matching");
  if (button) button.textContent = "Select all that match";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-bulk-action]");
  if (button) act(button.dataset.bulkAction);
  else if (event.target.closest("#pick-matching")) pickMatching();
});

// Picking another row means: these, not all.
document.addEventListener("rows:picked", (event) => {
  if (matching && event.detail.count) { matching = null; const button = document.getElementById("pick-matching"); if (button) button.textContent = "Select all that match"; }
  if (!event.detail.count) matching = null;
});
