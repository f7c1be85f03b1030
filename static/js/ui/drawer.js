// The sidebar: folds to icons on wide screens, is a drawer on a phone.

const root = document.documentElement;
const sidebar = document.getElementById("sidebar");
const opener = document.querySelector(".drawer-open");

function setDrawer(isOpen) {
  root.classList.toggle("drawer-is-open", isOpen);
  opener?.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) sidebar.querySelector("a")?.focus();
  else if (sidebar?.contains(document.activeElement)) opener?.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest(".drawer-open")) setDrawer(!root.classList.contains("drawer-is-open"));
  else if (event.target.closest(".backdrop")) setDrawer(false);
  else if (event.target.closest(".fold")) {
    const isFolded = root.dataset.sidebar !== "folded";
    if (isFolded) root.dataset.sidebar = "folded";
    else delete root.dataset.sidebar;
    try { localStorage.setItem("engine-sidebar", isFolded ? "folded" : "open"); } catch { /* this page only */ }
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && root.classList.contains("drawer-is-open")) setDrawer(false);
});

// While the drawer is open, Tab stays inside it.
document.addEventListener("focusin", (event) => {
  if (root.classList.contains("drawer-is-open") && !sidebar.contains(event.target) && !opener.contains(event.target)) {
    sidebar.querySelector("a")?.focus();
  }
});
