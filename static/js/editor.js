// <code-editor language="python|json|yaml" [readonly] [mark="12"]> turns the textarea inside it into a CodeMirror editor.
// The textarea keeps the value, so forms work with and without scripts. Emits "edit" when the person changes something.
import * as cm from "../vendor/codemirror.js";
import { flowCompletions, flowHover } from "./editor_words.js";

const { Compartment, EditorState, EditorView, HighlightStyle, StateEffect, StateField, Decoration, keymap, tags } = cm;

// Colours come from the page's tokens, so one style serves both themes.
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword], color: "light-dark(#8127a8, #d9a1f7)" },
  { tag: [tags.string, tags.special(tags.string)], color: "light-dark(#0c6a37, #86d9a7)" },
  { tag: [tags.comment, tags.lineComment], color: "light-dark(#66707f, #8b94a3)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "light-dark(#9a4a00, #f0b37a)" },
  { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))], color: "light-dark(#1647b5, #9cbcff)" },
  { tag: [tags.className, tags.definition(tags.className), tags.typeName], color: "light-dark(#8a5a00, #edc26b)" },
  { tag: [tags.propertyName], color: "light-dark(#0a557a, #86d3f8)" },
  { tag: [tags.self, tags.meta], color: "light-dark(#a81b17, #ff9d97)" },
]);

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "var(--code)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection": { backgroundColor: "light-dark(#d5d0fb, #3c3872) !important" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 10px", minWidth: "34px" },
  ".cm-activeLine": { backgroundColor: "light-dark(#1018280a, #ffffff0a)" },
  ".cm-activeLineGutter": { backgroundColor: "light-dark(#1018280a, #ffffff0a)", color: "var(--text)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "light-dark(#d9f0df, #1f4a30)", outline: "none" },
  ".cm-selectionMatch": { backgroundColor: "light-dark(#fdf1cd, #3b300d)" },
  ".cm-searchMatch": { backgroundColor: "var(--pause-bg)", outline: "1px solid var(--pause-solid)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--off-bg)", color: "var(--off-fg)", border: "none" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panels input, .cm-panels button": { fontFamily: "var(--sans)" },
  ".cm-panel.cm-search": { padding: "8px 10px" },
  ".cm-panel.cm-search :is(input, button, label)": { fontSize: "var(--base)" },
  ".cm-panel.cm-search label": { fontSize: "var(--small)", fontWeight: "400" },
  ".cm-textfield": { width: "auto", minHeight: "26px", backgroundColor: "var(--surface)", border: "1px solid var(--field-line)", borderRadius: "4px", display: "inline-block" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "4px", color: "var(--text)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)", borderRadius: "6px", boxShadow: "var(--shadow-high)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-completionInfo, .cm-words": { maxWidth: "420px", padding: "8px 10px", fontFamily: "var(--sans)", lineHeight: "1.45" },
  ".cm-words code": { display: "block", marginBottom: "4px", whiteSpace: "pre-wrap" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "4px 8px" },
  ".cm-line.is-marked": { backgroundColor: "var(--err-bg)", boxShadow: "inset 3px 0 0 var(--err-solid)" },
});

const setMark = StateEffect.define();
const marks = StateField.define({
  create: () => Decoration.none,
  update(value, change) {
    for (const effect of change.effects) {
      if (effect.is(setMark)) {
        const lines = effect.value.filter((line) => line >= 1 && line <= change.state.doc.lines);
        value = Decoration.set(lines.map((line) => Decoration.line({ class: "is-marked" }).range(change.state.doc.line(line).from)), true);
      }
    }
    return value.map(change.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function language(name) {
  if (name === "json") return [cm.json()];
  if (name === "yaml") return [cm.yaml(), cm.indentUnit.of("  ")];
  if (name !== "python") return [];
  const words = [cm.localCompletionSource, cm.globalCompletion, flowCompletions].map((source) => cm.pythonLanguage.data.of({ autocomplete: source }));
  return [cm.python(), words, flowHover(cm), cm.indentUnit.of("    ")];
}

function editing() {
  return [
    cm.history(), cm.indentOnInput(), cm.closeBrackets(), cm.autocompletion({ icons: false }), cm.dropCursor(),
    cm.rectangularSelection(), cm.crosshairCursor(), EditorState.allowMultipleSelections.of(true),
    // Tab indents; Escape then Tab leaves the editor, as CodeMirror's own guidance has it.
    keymap.of([...cm.closeBracketsKeymap, ...cm.historyKeymap, ...cm.completionKeymap, cm.indentWithTab]),
  ];
}

export class CodeEditor extends HTMLElement {
  connectedCallback() {
    if (this.view) return;
    this.area = this.querySelector("textarea");
    const isReadonly = this.hasAttribute("readonly");
    this.view = new EditorView({
      parent: this,
      state: EditorState.create({
        doc: this.area.value,
        extensions: [
          cm.lineNumbers(), cm.foldGutter(), cm.lintGutter(), cm.highlightSpecialChars(), cm.drawSelection(), cm.bracketMatching(),
          cm.highlightActiveLine(), cm.highlightActiveLineGutter(), cm.highlightSelectionMatches(), cm.search({ top: true }),
          cm.syntaxHighlighting(colours), look, marks, language(this.getAttribute("language")),
          isReadonly ? [EditorState.readOnly.of(true)] : editing(),
          keymap.of([...cm.defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"), ...cm.searchKeymap, ...cm.foldKeymap, ...cm.lintKeymap]),
          EditorView.contentAttributes.of({ "aria-label": this.getAttribute("label") ?? "Script", ...(isReadonly ? { "aria-readonly": "true" } : {}) }),
          EditorView.updateListener.of((update) => { if (update.docChanged) this.edited(); }),
        ],
      }),
    });
    this.area.hidden = true;
    this.view.scrollDOM.tabIndex = 0; // long lines scroll sideways, also by keyboard
    this.saved = this.view.state.doc;
    const mark = this.getAttribute("mark");
    if (mark) this.markLines(mark.split(",").map(Number));
  }

  disconnectedCallback() {
    this.view?.destroy();
    this.view = null;
  }

  get value() { return this.view.state.doc.toString(); }

  set value(text) { this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } }); }

  get isDirty() { return !this.view.state.doc.eq(this.saved); }

  /** Takes the text given, or the present one, as what the server has. */
  markSaved(doc = this.view.state.doc) { this.saved = doc; }

  get doc() { return this.view.state.doc; }

  edited() {
    this.area.value = this.value;
    this.dispatchEvent(new CustomEvent("edit", { bubbles: true }));
  }

  /** Shows problems at their lines: [{line, column, message, severity}], lines from 1, columns from 0. */
  setProblems(problems) {
    const { doc } = this.view.state;
    const found = problems.map(({ line, column, message, severity }) => {
      const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
      const from = Math.min(at.from + column, at.to);
      const word = /^\w+/.exec(doc.sliceString(from, at.to));
      return { from, to: word ? from + word[0].length : Math.min(from + 1, at.to), severity: severity ?? "error", message };
    });
    this.view.dispatch(cm.setDiagnostics(this.view.state, found));
  }

  /** Marks lines (the failing or current one) and shows the first. */
  markLines(lines) {
    this.view.dispatch({ effects: setMark.of(lines) });
    if (lines.length) this.goTo(lines[0], 0, false);
  }

  goTo(line, column = 0, focus = true) {
    const { doc } = this.view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const place = Math.min(at.from + column, at.to);
    this.view.dispatch({ selection: { anchor: place }, effects: EditorView.scrollIntoView(place, { y: "center" }) });
    if (focus) this.view.focus();
  }
}

customElements.define("code-editor", CodeEditor);
