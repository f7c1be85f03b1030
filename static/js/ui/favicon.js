// Puts a dot in a status colour on the tab's icon; the execution page calls it.

const COLOURS = { ok: "#1f9d55", run: "#1c4ed1", wait: "#55b4e6", pause: "#e2aa0b", err: "#d92d27", off: "#9aa1ac" };

/** Shows the group's dot: ok, run, wait, pause, err, off. */
export function setFaviconDot(group) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M12 1.5 22.5 12 12 22.5 1.5 12Z" fill="#6656e6"/>`
    + `<circle cx="17" cy="17" r="6.5" fill="${COLOURS[group] ?? COLOURS.off}" stroke="#fff" stroke-width="1.5"/></svg>`;
  document.getElementById("favicon").href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
