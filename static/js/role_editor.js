// The matrix of a role: arrows move between boxes, names and headings set whole rows and columns, what another row
// allows already is shown as such, and rows for one project can be added.

const form = document.getElementById("matrix-form");

function boxes(scope) {
  return [...scope.querySelectorAll('input[type="checkbox"]')];
}

function setAll(chosen) {
  const on = !chosen.every((box) => box.checked);
  for (const box of chosen) box.checked = on;
  changed();
}

function changed() {
  form.dispatchEvent(new Event("input", { bubbles: true }));
  showImplied();
}

// "Everything" of the same place, and the same line of all projects, allow without the box being checked.
function showImplied() {
  const [everywhere] = form.querySelectorAll("[data-place]");
  const isOn = (place, type, operation) =>
    place?.querySelector(`[data-type="${CSS.escape(type)}"] [data-operation="${operation}"]`)?.checked ?? false;
  for (const place of form.querySelectorAll("[data-place]")) {
    for (const box of boxes(place)) {
      const { type } = box.closest("tr").dataset;
      const { operation } = box.dataset;
      const implied =
        (type !== "*" && isOn(place, "*", operation)) ||
        (place !== everywhere && (isOn(everywhere, "*", operation) || isOn(everywhere, type, operation)));
      const cell = box.closest("td");
      cell.classList.toggle("is-implied", implied && !box.checked);
      cell.title = implied && !box.checked ? "Allowed already, by another row" : "";
    }
  }
}

function addProject(select) {
  const { value: id, selectedOptions } = select;
  if (!id) return;
  const place = document.getElementById("project-matrix").content.firstElementChild.cloneNode(true);
  place.dataset.place = id;
  place.querySelector("[data-place-name]").textContent = selectedOptions[0].textContent;
  for (const box of boxes(place)) box.value = id + box.value;
  select.closest(".card").before(place);
  selectedOptions[0].remove();
  select.value = "";
  showImplied();
  place.querySelector("input").focus();
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function move(event) {
  const step = STEPS[event.key];
  if (!step || event.target.type !== "checkbox") return;
  const rows = [...form.querySelectorAll("tr[data-type]")].map(boxes);
  const row = rows.findIndex((line) => line.includes(event.target));
  const column = rows[row].indexOf(event.target);
  const next = rows[row + step[0]]?.[column + step[1]];
  if (next) next.focus();
  event.preventDefault();
}

if (form) {
  form.addEventListener("click", (event) => {
    const name = event.target.closest(".matrix-name");
    if (!name) return;
    if ("line" in name.dataset) setAll(boxes(name.closest("tr")));
    else setAll(boxes(name.closest("table")).filter((box) => box.dataset.operation === name.dataset.column));
  });
  form.addEventListener("change", (event) => {
    if (event.target.id === "add-project") addProject(event.target);
    else showImplied();
  });
  form.addEventListener("keydown", move);
  showImplied();
}
