// Sets the chosen theme and the sidebar's fold before the first paint; runs blocking in <head>, so it stays tiny.
// The choice is changed by ui/theme_menu.js; nothing else reads these keys.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("engine-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("engine-sidebar") === "folded") root.dataset.sidebar = "folded";
  } catch { /* storage may be blocked; the system's theme then stays */ }
})();
