// The tab Savepoints: whole answers are fetched when they are unfolded; news are merged row by row, so that what is
// unfolded stays so.
import { fetchJson } from "../ui/requests.js";
import { refreshTimes } from "../ui/times.js";

const addressOf = (number) => document.getElementById("savepoints").dataset.values.replace(/0$/, number);

document.addEventListener("toggle", async (event) => {
  const details = event.target;
  if (!details.matches?.("details[data-savepoint]") || !details.open) return;
  const tree = details.querySelector("json-tree");
  if (tree.hasChildNodes()) return;
  try {
    const found = await fetchJson(addressOf(details.dataset.savepoint));
    tree.show(found.error ?? found.value);
  } catch (error) {
    tree.textContent = error.message;
  }
}, true);

/** Puts the server's newer rows in place of the old ones, and leaves those alone that are the same. */
export function mergeSavepoints(old, part) {
  const [body, news] = [old, part].map((each) => each.querySelector("tbody"));
  if (!body || !news || old.querySelector("thead").textContent !== part.querySelector("thead").textContent) return false;
  const kept = new Map([...body.rows].map((tr) => [tr.dataset.key, tr]));
  body.replaceChildren(...[...news.rows].map((tr) => {
    const same = kept.get(tr.dataset.key);
    return same?.dataset.stamp === tr.dataset.stamp ? same : tr;
  }));
  refreshTimes(body);
  old.querySelector("h2").textContent = part.querySelector("h2").textContent;
  const [pager, newer] = [old, part].map((each) => each.querySelector(":scope > .pager"));
  if (pager && !newer) pager.remove();
  else if (newer) pager ? pager.replaceWith(newer) : old.append(newer);
  old.toggleAttribute("data-grows", part.hasAttribute("data-grows"));
  return true;
}
