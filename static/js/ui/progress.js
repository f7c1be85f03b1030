// A thin line at the top while the next page is on its way, so that every click is answered at once.

const BEFORE_SHOWN = 150;
const AT_MOST = 10000; // a download leaves the page where it is
let timer = null;

function begin() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    document.documentElement.classList.add("is-leaving");
    timer = setTimeout(end, AT_MOST);
  }, BEFORE_SHOWN);
}

function end() {
  clearTimeout(timer);
  document.documentElement.classList.remove("is-leaving");
}

addEventListener("beforeunload", begin);
addEventListener("pageshow", end);
document.addEventListener("htmx:beforeRequest", begin);
document.addEventListener("htmx:afterRequest", end);
