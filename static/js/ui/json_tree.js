// <json-tree for="id">: shows the JSON of <script type="application/json" id="id"> as a tree that folds.
// Copy a value or its path, find, expand, download. Long lists are drawn in pieces, so large outputs stay quick.
import { copyText } from "./copy.js";
import { element, icon } from "./icon.js";
import { toast } from "./toasts.js";

const PIECE = 100;
const OPEN_BELOW = 24;

const isBranch = (value) => value !== null && typeof value === "object";
const entriesOf = (value) => (Array.isArray(value) ? value.map((item, index) => [index, item]) : Object.entries(value));

function pathText(path) {
  return path.map((key) => (typeof key === "number" ? `[${key}]` : /^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`))
    .join("").replace(/^\./, "") || "(whole value)";
}

function sizeText(value) {
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  const word = Array.isArray(value) ? "item" : "key";
  return `${size} ${word}${size === 1 ? "" : "s"}`;
}

class JsonTree extends HTMLElement {
  connectedCallback() {
    if (this.dataset.drawn) return;
    this.dataset.drawn = "yes";
    const source = document.getElementById(this.getAttribute("for"));
    try {
      this.show(JSON.parse(source.textContent));
    } catch (error) {
      this.textContent = `This is not JSON: ${error.message}`;
    }
  }

  /** Draws another value; scripts with live data call this. */
  show(value) {
    this.value = value;
    this.dataset.drawn = "yes";
    this.body = element("div", { class: "tree-body" });
    this.replaceChildren(...(isBranch(value) ? [this.bar()] : []), this.body);
    this.body.append(this.node(value, [], 0, true));
  }

  bar() {
    const find = element("input", { type: "search", placeholder: "Find in keys and values", "aria-label": "Find in keys and values" });
    find.addEventListener("input", () => this.find(find.value.trim().toLowerCase()));
    const button = (name, label, act) => {
      const made = element("button", { class: "button button-small button-quiet", type: "button" }, icon(name), label);
      made.addEventListener("click", act);
      return made;
    };
    return element("div", { class: "tree-bar" }, find,
      button("chevrons-down", "Expand", () => this.setAll(true)),
      button("chevron-up", "Collapse", () => this.setAll(false)),
      button("copy", "Copy", () => this.copy(JSON.stringify(this.value, null, 2))),
      button("download", "Download", () => this.download()));
  }

  node(value, path, depth, isOpen) {
    const key = path.at(-1);
    const line = element("div", { class: "tree-line" });
    line.style.setProperty("--depth", depth);
    if (!isBranch(value)) {
      line.append(element("span", { class: "tree-gap" }), ...this.label(key), this.leaf(value), this.tools(value, path));
      return line;
    }
    const toggle = element("button", { class: "tree-toggle", type: "button", "aria-expanded": "false", "aria-label": `Fold ${pathText(path)}` }, icon("chevron-right"));
    const brackets = Array.isArray(value) ? "[ ]" : "{ }";
    line.append(toggle, ...this.label(key), element("span", { class: "tree-size" }, `${brackets} ${sizeText(value)}`), this.tools(value, path));
    const inner = element("div", { hidden: true });
    const group = element("div", { class: "tree-node" }, line, inner);
    const set = (open) => {
      if (open && !inner.hasChildNodes()) this.draw(inner, entriesOf(value), path, depth + 1);
      inner.hidden = !open;
      toggle.setAttribute("aria-expanded", String(open));
    };
    toggle.addEventListener("click", () => set(inner.hidden));
    group.setOpen = set;
    if (isOpen) set(true);
    return group;
  }

  draw(inner, entries, path, depth, from = 0) {
    const piece = entries.slice(from, from + PIECE);
    const opens = depth < 3 && entries.length <= OPEN_BELOW;
    inner.append(...piece.map(([key, value]) => this.node(value, [...path, key], depth, opens)));
    const left = entries.length - from - piece.length;
    if (left <= 0) return;
    const more = element("button", { class: "tree-more", type: "button" }, `${left} more`);
    more.addEventListener("click", () => { more.remove(); this.draw(inner, entries, path, depth, from + PIECE); });
    inner.append(more);
  }

  label(key) {
    if (key === undefined) return [];
    return [element("span", { class: typeof key === "number" ? "tree-key tree-index" : "tree-key" }, `${key}:`)];
  }

  leaf(value) {
    const kind = value === null ? "null" : typeof value;
    return element("span", { class: `tree-value ${kind}` }, kind === "string" ? JSON.stringify(value) : String(value));
  }

  tools(value, path) {
    const button = (label, text) => {
      const made = element("button", { type: "button" }, label);
      made.addEventListener("click", () => this.copy(text()));
      return made;
    };
    return element("span", { class: "tree-tools" },
      button("copy value", () => (typeof value === "string" ? value : JSON.stringify(value, null, 2))),
      ...(path.length ? [button("copy path", () => pathText(path))] : []));
  }

  copy(text) {
    copyText(text).then(() => toast("Copied"), (error) => toast(error.message, { kind: "err" }));
  }

  download() {
    const blob = new Blob([JSON.stringify(this.value, null, 2)], { type: "application/json" });
    const link = element("a", { href: URL.createObjectURL(blob), download: `${this.getAttribute("filename") ?? "value"}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  setAll(isOpen) {
    let budget = 2000;
    const walk = (scope) => {
      for (const node of scope.querySelectorAll(":scope > .tree-node")) {
        if (budget-- <= 0) return;
        node.setOpen(isOpen || scope === this.body);
        walk(node.lastElementChild);
      }
    };
    walk(this.body);
  }

  find(text) {
    for (const line of this.body.querySelectorAll(".is-found")) line.classList.remove("is-found");
    if (!text) return;
    this.setAll(true);
    const found = [...this.body.querySelectorAll(".tree-line")].filter((line) =>
      [...line.querySelectorAll(".tree-key, .tree-value")].some((part) => part.textContent.toLowerCase().includes(text)));
    found.forEach((line) => line.classList.add("is-found"));
    found[0]?.scrollIntoView({ block: "nearest" });
  }
}

customElements.define("json-tree", JsonTree);
