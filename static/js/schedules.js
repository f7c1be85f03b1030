// Pages of schedules: a new one begins in the time zone of this browser, and #backfill in the address opens the dialog.
import { openDialog } from "./ui/dialogs.js";

for (const input of document.querySelectorAll("[data-browser-zone]")) {
  input.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

const openNamed = () => {
  const dialog = document.getElementById("backfill");
  if (location.hash === "#backfill" && dialog) {
    history.replaceState(null, "", location.pathname);
    openDialog(dialog);
  }
};
addEventListener("hashchange", openNamed);
openNamed();
