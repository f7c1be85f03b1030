// The script tab of a flow or wrapper: save by button and Ctrl-S, check on a pause, run saves first, leaving with changes asks.
import "./editor.js";
import { confirmAction } from "./ui/dialogs.js";
import { element } from "./ui/icon.js";
import { fetchJson } from "./ui/requests.js";
import { toast } from "./ui/toasts.js";
import { unsaved } from "./ui/forms.js";

const PAUSE = 500;
const editor = document.getElementById("script");
const saveButton = document.getElementById("save");
const state = document.getElementById("save-state");
const list = document.getElementById("problems");
let version = Number(editor.dataset.version);
let checking = null;
let timer = null;
let saving = null;

function show(problems) {
  editor.setProblems(problems);
  list.replaceChildren(...problems.map((problem) => {
    const place = element("span", { class: "place" }, `line ${problem.line}, column ${problem.column + 1}`);
    const line = element("button", { type: "button" }, place, problem.message);
    line.addEventListener("click", () => editor.goTo(problem.line, problem.column));
    return line;
  }));
}

function showState(text = editor.isDirty ? "unsaved changes" : "") {
  if (state) state.textContent = text;
}

async function check() {
  checking?.abort();
  checking = new AbortController();
  try {
    const { problems } = await fetchJson(editor.dataset.checkUrl, { method: "POST", body: { script: editor.value }, signal: checking.signal });
    show(problems);
  } catch (error) {
    if (error.name !== "AbortError") showState(error.message);
  }
}

async function send(overwrite) {
  const doc = editor.doc;
  const answer = await fetchJson(editor.dataset.saveUrl, { method: "POST", body: { script: doc.toString(), version, overwrite } });
  version = answer.version;
  editor.markSaved(doc);
  document.getElementById("version").textContent = `@${version}`;
  document.getElementById("problems-badge").hidden = answer.problems.length === 0;
  clearTimeout(timer);
  show(answer.problems);
  showState(editor.isDirty ? undefined : "saved");
}

async function saveOnce() {
  showState("saving");
  try {
    await send(false);
    return true;
  } catch (error) {
    if (error.status !== 409) {
      showState();
      toast(`Nothing was saved. ${error.message}`, { kind: "err" });
      return false;
    }
    showState();
    const agreed = await confirmAction({
      title: "Someone saved before you", text: `${error.message} Your script would become the newest version; theirs stays in the history.`, action: "Save mine",
    });
    if (!agreed) return false;
    try { await send(true); return true; } catch (failed) { toast(failed.message, { kind: "err" }); return false; }
  }
}

/** Saves; a second call while one is under way waits for it. Returns whether the server has the script. */
function save() {
  saving ??= saveOnce().finally(() => { saving = null; });
  return saving;
}

show(JSON.parse(document.getElementById("script-problems").textContent));

if (saveButton) {
  editor.addEventListener("edit", () => {
    showState();
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
  saveButton.addEventListener("click", save);
  unsaved.push(() => editor.isDirty);
  document.getElementById("save-and-run")?.addEventListener("click", () => document.querySelector("[data-shortcut=r]")?.click());

  // Running runs what the person sees: unsaved changes are saved first. Capturing, so that htmx's own submit waits too.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-run]") || !editor.isDirty) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (await save()) form.requestSubmit();
  }, true);
}
