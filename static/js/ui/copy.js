// Copy buttons: data-copy="text" or data-copy-from="#element". The button says so for a moment.
import { icon } from "./icon.js";
import { toast } from "./toasts.js";

/** Puts text on the clipboard; also works on plain http, where browsers offer no clipboard API. */
export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  document.body.append(area);
  area.select();
  const worked = document.execCommand("copy");
  area.remove();
  if (!worked) throw new Error("the browser refused to copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  const text = source ? source.value ?? source.textContent : button.dataset.copy;
  try {
    await copyText(text);
    const mark = button.querySelector(".i");
    if (mark) {
      const done = icon("check");
      mark.replaceWith(done);
      setTimeout(() => done.replaceWith(mark), 1400);
    } else toast("Copied");
  } catch (error) {
    toast(`Not copied: ${error.message}`, { kind: "err" });
  }
});
