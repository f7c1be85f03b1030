// Starts what every page has. Each part listens on the document, so fragments that htmx swaps in need no set-up.
// Parts that only some pages need are modules of their own, loaded by those pages.
import { icon } from "./ui/icon.js";
import "./ui/times.js";
import "./ui/toasts.js";
import "./ui/dialogs.js";
import "./ui/menus.js";
import "./ui/copy.js";
import "./ui/theme_menu.js";
import "./ui/drawer.js";
import "./ui/rows.js";
import "./ui/search.js";
import "./ui/shortcuts.js";
import "./ui/progress.js";
import "./ui/requests.js";
import "./ui/forms.js";
import "./ui/schema_forms.js";
import "./ui/json_tree.js";
import "./ui/tabs.js";
import "./live.js";
import "./inbox.js";

export { icon };
