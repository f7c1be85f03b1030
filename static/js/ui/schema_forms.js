// Comfort for forms made of schemas (templates/forms/): only the chosen way is shown, lists get buttons, moments know
// the time zone, and a form changes between its fields and its text. Without this file they work as well.
import { element, icon } from "./icon.js";
import { csrfToken, toast } from "./toasts.js";

const NAMED = ["name", "id", "for", "aria-describedby", "data-name", "data-id"];

/** One of several ways: its select shows the fields of the chosen one. */
class FormVariants extends HTMLElement {
  connectedCallback() {
    const select = this.querySelector("select");
    const show = () => [...this.children].filter((part) => part.matches("fieldset"))
      .forEach((part, number) => part.toggleAttribute("data-form-hidden", String(number) !== select.value));
    select.addEventListener("change", show);
    show();
  }
}

/** A list: rows are added and removed. The server reads rows by number and leaves out empty ones. */
class FormRows extends HTMLElement {
  connectedCallback() {
    if (this.isSetUp) return;
    this.isSetUp = true;
    this.list = this.querySelector(".form-row-list");
    const rows = [...this.list.children];
    this.next = rows.length;
    // The empty row is there for browsers without scripts.
    const last = rows.at(-1);
    if (last && !last.querySelector(".error")) last.remove();
    for (const row of this.list.children) this.addRemove(row);
    const add = element("button", { class: "button button-small", type: "button" }, icon("plus"), "Add");
    add.addEventListener("click", () => this.add());
    this.list.after(add);
  }

  add() {
    const row = element("div", { class: "form-row" }, this.querySelector(":scope > template").content.cloneNode(true));
    const number = this.next++;
    for (const each of ["name", "id"]) rename(row, `${this.dataset[each]}.ROW`, `${this.dataset[each]}.${number}`);
    this.addRemove(row);
    this.list.append(row);
    row.querySelector("input, select, textarea")?.focus();
    this.dispatchEvent(new Event("input", { bubbles: true }));
  }

  addRemove(row) {
    const remove = element("button", { class: "button button-quiet button-icon button-small", type: "button", "aria-label": "Remove this row" }, icon("x"));
    remove.addEventListener("click", () => {
      row.remove();
      this.dispatchEvent(new Event("input", { bubbles: true }));
    });
    row.append(remove);
  }
}

function rename(scope, old, fresh) {
  for (const each of scope.querySelectorAll("*")) {
    for (const name of NAMED) {
      const value = each.getAttribute(name);
      if (value?.includes(old)) each.setAttribute(name, value.replaceAll(old, fresh));
    }
    if (each.content) rename(each.content, old, fresh);
  }
}

/** A moment or a time of day: shown and sent in the time zone of this browser. */
class FormMoment extends HTMLElement {
  connectedCallback() {
    const [input, zone] = this.querySelectorAll("input");
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!name || zone.value === name) return;
    zone.value = this.querySelector("span").textContent = name;
    const given = input.dataset.value ?? "";
    const isTime = input.type === "time";
    const moment = new Date(isTime ? `${new Date().toISOString().slice(0, 10)}T${given}` : given);
    if (!/(Z|[+-]\d\d:?\d\d)$/.test(given) || Number.isNaN(moment.getTime())) return;
    const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
    input.value = isTime ? local.slice(11) : local;
  }
}

customElements.define("form-variants", FormVariants);
customElements.define("form-rows", FormRows);
customElements.define("form-moment", FormMoment);

document.addEventListener("change", async (event) => {
  const ways = event.target.closest?.("[data-form-switch]");
  if (!ways) return;
  const body = new FormData(ways.closest("form"));
  body.set("signed", ways.dataset.formSwitch);
  try {
    const answer = await fetch(ways.dataset.address, { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    const drawn = document.createRange().createContextualFragment(await answer.text()).querySelector(".schema-form");
    ways.closest(".schema-form").replaceWith(drawn);
    drawn.querySelector("input:checked")?.focus();
    drawn.dispatchEvent(new Event("input", { bubbles: true }));
  } catch (error) {
    toast(`The form stays as it is. ${error.message}`, { kind: "err" });
  }
});
