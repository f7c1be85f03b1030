// Changes the theme: buttons with data-theme-choice="system|light|dark". theme.js applies it on the next page.

const root = document.documentElement;

function current() {
  return root.dataset.theme ?? "system";
}

function show() {
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-checked", String(button.dataset.themeChoice === current()));
  }
}

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]")?.dataset.themeChoice;
  if (!choice) return;
  if (choice === "system") delete root.dataset.theme;
  else root.dataset.theme = choice;
  try {
    if (choice === "system") localStorage.removeItem("engine-theme");
    else localStorage.setItem("engine-theme", choice);
  } catch { /* without storage the choice lasts for this page */ }
  show();
  document.dispatchEvent(new CustomEvent("themechange"));
});

show();
