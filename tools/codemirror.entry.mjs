// What the editor pages take from CodeMirror 6; bundled by tools/assets.mjs into static/vendor/codemirror.js.
// Only names that static/js/editor.js uses stand here, so that the bundle stays small.
export {
  autocompletion, closeBrackets, closeBracketsKeymap, completeFromList, completionKeymap, snippetCompletion,
} from "@codemirror/autocomplete";
export { defaultKeymap, history, historyKeymap, indentWithTab, toggleComment } from "@codemirror/commands";
export { json } from "@codemirror/lang-json";
export { globalCompletion, localCompletionSource, python, pythonLanguage } from "@codemirror/lang-python";
export { yaml } from "@codemirror/lang-yaml";
export {
  HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting, syntaxTree,
} from "@codemirror/language";
export { lintGutter, lintKeymap, nextDiagnostic, setDiagnostics } from "@codemirror/lint";
export { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from "@codemirror/search";
export { Compartment, EditorState, StateEffect, StateField } from "@codemirror/state";
export {
  Decoration, EditorView, crosshairCursor, drawSelection, dropCursor, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, hoverTooltip, keymap, lineNumbers, placeholder, rectangularSelection,
} from "@codemirror/view";
export { tags } from "@lezer/highlight";
