// The search in the top bar: results come from the server as you type (htmx); arrows choose, Enter opens, Escape leaves.

const box = document.getElementById("search-input");
const list = document.getElementById("search-results");

function hits() {
  return [...list.querySelectorAll("[role=option]")];
}

function choose(at) {
  const all = hits();
  all.forEach((hit, index) => hit.setAttribute("aria-selected", String(index === at)));
  box.setAttribute("aria-activedescendant", all[at]?.id ?? "");
  all[at]?.scrollIntoView({ block: "nearest" });
}

function close() {
  list.replaceChildren();
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}

if (box && list) {
  box.addEventListener("keydown", (event) => {
    const all = hits();
    const at = all.findIndex((hit) => hit.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (all.length) choose((at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      all[at].click();
    } else if (event.key === "Escape") {
      close();
      box.blur();
    }
  });
  list.addEventListener("htmx:afterSwap", () => {
    const all = hits();
    box.setAttribute("aria-expanded", String(all.length > 0));
    if (all.length) choose(0);
    if (document.activeElement !== box) close();
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) close(); });
}
