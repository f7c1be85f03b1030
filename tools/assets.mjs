// Vendors the front-end packages of package.json into static/: `make assets` runs it after `npm ci`.
// Its results are committed, so nobody needs Node to run Engine. It never touches our own css or js.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const vendor = join(root, "static", "vendor");

// Icons of Tabler that templates and scripts name; a name that is missing here shows as an empty box.
const OUTLINE = `
activity adjustments-horizontal alert-circle alert-triangle api arrow-back-up arrow-down arrow-left arrow-narrow-right
arrow-right arrow-up arrows-maximize arrows-split ban bell binary-tree book bookmark braces brackets-contain brand-python bug calendar-clock
calendar-event calendar-time camera chart-bar check checks chevron-down chevron-left chevron-right chevron-up
chevrons-down circle circle-check circle-dashed circle-x clipboard clock clock-play clock-pause code columns copy
corner-down-right cpu database device-desktop device-floppy dots dots-vertical download edit
external-link eye eye-off file file-code file-text filter filter-off flag flask folder folder-plus folders git-fork
hand-stop help heartbeat history home hourglass inbox indent-increase info-circle key keyboard layout-dashboard
layout-list layout-sidebar-left-collapse layout-sidebar-left-expand link list list-details list-tree loader loader-2
lock lock-open logout mail maximize menu-2 message message-question messages minus moon player-pause player-play
player-skip-forward player-stop plug plug-off plus pointer refresh reload repeat restore rocket route row-insert-top
search send server settings shield shield-lock sitemap sort-ascending sort-descending square square-check
star status-change stack-2 sun table tag terminal-2 timeline tools transfer trash trash-off tree upload
user user-circle user-plus users variable versions wifi wifi-off webhook world x zoom-in zoom-out zoom-reset zzz
`.split(/\s+/).filter(Boolean);
const FILLED = "player-play player-pause player-stop circle square star bookmark".split(" ");

async function sprite() {
  const symbols = [];
  const missing = [];
  for (const [kind, names, suffix] of [["outline", OUTLINE, ""], ["filled", FILLED, "-filled"]]) {
    for (const name of [...new Set(names)].sort()) {
      let source;
      try {
        source = await readFile(join(modules, "@tabler/icons/icons", kind, `${name}.svg`), "utf8");
      } catch {
        missing.push(`${kind}/${name}`);
        continue;
      }
      const body = source
        .replace(/<!--[\s\S]*?-->/g, "")
        .replace(/<\/?svg[^>]*>/g, "")
        .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/g, "")
        .replace(/\s*\n\s*/g, "")
        .trim();
      const paint = kind === "outline"
        ? 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'
        : 'fill="currentColor"';
      symbols.push(`<symbol id="${name}${suffix}" viewBox="0 0 24 24" ${paint}>${body}</symbol>`);
    }
  }
  if (missing.length) console.warn("not in Tabler icons:", missing.join(", "));
  await writeFile(
    join(root, "static/img/icons.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`,
  );
  return symbols.length;
}

async function licenceOf(name) {
  const about = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
  const target = `${name.replace("@", "").replace("/", "-")}.txt`;
  for (const file of ["LICENSE", "LICENSE.md", "LICENCE", "LICENSE.txt"]) {
    try {
      await copyFile(join(modules, name, file), join(vendor, "licences", target));
      return { name, version: about.version, licence: about.license, target };
    } catch { /* the next spelling */ }
  }
  throw new Error(`${name} ships no licence file`);
}

function table(rows) {
  return rows.map((r) => `| ${r.name} | ${r.version} | [${r.licence}](licences/${r.target}) |`).join("\n");
}

await rm(vendor, { recursive: true, force: true });
await mkdir(join(vendor, "licences"), { recursive: true });
await mkdir(join(root, "static/img"), { recursive: true });

await copyFile(join(modules, "htmx.org/dist/htmx.min.js"), join(vendor, "htmx.min.js"));
const bundle = await build({
  entryPoints: [join(root, "tools/codemirror.entry.mjs")],
  outfile: join(vendor, "codemirror.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2020",
  legalComments: "none",
  metafile: true,
});
const bundled = [...new Set(Object.keys(bundle.metafile.inputs)
  .map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1])
  .filter(Boolean))].sort();
const icons = await sprite();

const htmx = await licenceOf("htmx.org");
const tabler = await licenceOf("@tabler/icons");
const editor = await Promise.all(bundled.map(licenceOf));
await writeFile(join(vendor, "README.md"), `# Vendored front-end packages

Made by \`make assets\` from \`package.json\` and its lock file; do not edit by hand. Running Engine needs none of the tools.

| package | version | licence |
|---|---|---|
${table([htmx])}

\`htmx.min.js\` is htmx as it ships.

| package | version | licence |
|---|---|---|
${table([tabler])}

\`../img/icons.svg\` is a sprite of ${icons} of its icons.

| package | version | licence |
|---|---|---|
${table(editor)}

\`codemirror.js\` is one ES module with these, loaded only by pages that have an editor.
`);
console.log(`htmx ${htmx.version}, ${icons} icons, editor of ${bundled.length} packages`);
