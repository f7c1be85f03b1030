// The log of an execution: pieces of 500 lines that load when they come into sight and go when they leave it, so
// that 50,000 lines scroll like 50. Filtered, it is a list that is read on as one scrolls. Follows while at the bottom.
import { element } from "../ui/icon.js";
import { fetchJson } from "../ui/requests.js";

const LINE_HEIGHT = 19;
const FAR = 3; // pieces further away than this from what is seen give their lines back

export class LogView {
  constructor(place) {
    this.url = place.dataset.url;
    this.size = Number(place.dataset.piece);
    this.last = Number(place.dataset.last); // the highest line number known
    this.isEnded = place.dataset.ended === "yes";
    this.view = place.querySelector("#log-view");
    this.empty = place.querySelector("#log-empty");
    this.search = place.querySelector("#log-search");
    this.level = place.querySelector("#log-level");
    this.stream = place.querySelector("#log-stream");
    this.count = place.querySelector("#log-count");
    this.followButton = place.querySelector("#log-follow");
    this.wrapButton = place.querySelector("#log-wrap");
    this.pieces = []; // unfiltered: piece n holds the lines n*size+1 … (n+1)*size
    this.watcher = new IntersectionObserver((entries) => this.onSight(entries), { root: this.view, rootMargin: "600px 0px" });
    this.isFollowing = false;
    this.listen();
    const line = this.wantedLine();
    this.showWhole();
    if (line) this.goTo(line);
    else if (!this.isEnded || place.dataset.failed) this.setFollowing(true);
  }

  listen() {
    let typing = null;
    this.search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => this.filterChanged(), 250); });
    this.level.addEventListener("change", () => this.filterChanged());
    this.stream.addEventListener("change", () => this.filterChanged());
    this.followButton.addEventListener("click", () => this.setFollowing(!this.isFollowing));
    this.wrapButton.addEventListener("click", () => {
      const isOn = this.wrapButton.getAttribute("aria-pressed") !== "true";
      this.wrapButton.setAttribute("aria-pressed", String(isOn));
      this.view.classList.toggle("no-wrap", !isOn);
      for (const piece of this.pieces) piece.box.style.minHeight = piece.lines ? "" : `${LINE_HEIGHT * this.linesIn(piece)}px`;
    });
    let before = 0;
    this.view.addEventListener("scroll", () => {
      // Only the reader's own way up ends the following; lines that arrive never do.
      if (this.isFollowing && this.view.scrollTop < before - 4 && !this.isAtBottom()) this.setFollowing(false);
      else if (!this.isFollowing && !this.isEnded && this.isAtBottom() && this.view.scrollTop > before) this.setFollowing(true);
      before = this.view.scrollTop;
    });
    addEventListener("hashchange", () => { const line = this.wantedLine(); if (line) this.goTo(line); });
  }

  // -- The whole log, in pieces

  get isFiltered() {
    return Boolean(this.search.value.trim() || this.level.value || this.stream.value);
  }

  showWhole() {
    this.watcher.disconnect();
    this.pieces = [];
    this.view.replaceChildren(this.empty);
    this.grow();
  }

  linesIn(piece) {
    return Math.max(0, Math.min(this.size, this.last - piece.from));
  }

  /** Makes room for the lines up to `last`. */
  grow() {
    const wanted = Math.ceil(this.last / this.size);
    while (this.pieces.length < wanted) {
      const piece = { from: this.pieces.length * this.size, lines: null, box: element("div", { class: "log-piece" }), isLoading: false };
      this.pieces.push(piece);
      this.view.append(piece.box);
      this.watcher.observe(piece.box);
      piece.box.piece = piece;
    }
    for (const piece of this.pieces) if (!piece.lines) piece.box.style.minHeight = `${LINE_HEIGHT * this.linesIn(piece)}px`;
    this.showCount();
  }

  onSight(entries) {
    for (const { target, isIntersecting } of entries) {
      target.piece.isSeen = isIntersecting;
      if (isIntersecting) this.load(target.piece);
    }
    this.dropFar();
  }

  async load(piece) {
    if (piece.isLoading || (piece.lines && piece.lines >= this.linesIn(piece))) return;
    piece.isLoading = true;
    try {
      const have = piece.lines ?? 0;
      const answer = await fetchJson(`${this.url}?after=${piece.from + have}&limit=${this.size - have}`);
      if (!piece.box.isConnected) return;
      this.last = Math.max(this.last, answer.last);
      this.put(piece, answer.lines);
    } catch {
      setTimeout(() => { piece.isLoading = false; if (piece.isSeen) this.load(piece); }, 3000);
      return;
    }
    piece.isLoading = false;
    this.grow();
    this.markWanted();
    if (this.isFollowing) this.toBottom();
    if (piece.isSeen && piece.lines < this.linesIn(piece)) this.load(piece);
  }

  /** Puts lines into their piece; what it has already is left out. */
  put(piece, lines) {
    const have = piece.lines ?? 0;
    const fresh = lines.filter((line) => line[0] > piece.from + have && line[0] <= piece.from + this.size);
    piece.box.style.minHeight = "";
    piece.box.append(...fresh.map((line) => lineElement(line)));
    piece.lines = have + fresh.length;
  }

  dropFar() {
    const seen = this.pieces.filter((piece) => piece.isSeen).map((piece) => piece.from / this.size);
    if (!seen.length) return;
    const [first, final] = [Math.min(...seen), Math.max(...seen)];
    this.pieces.forEach((piece, at) => {
      if (!piece.lines || (at >= first - FAR && at <= final + FAR)) return;
      piece.box.style.minHeight = `${piece.box.offsetHeight}px`;
      piece.box.replaceChildren();
      piece.lines = null;
    });
  }

  // -- Filtered: read on from the last line found

  filterChanged() {
    if (!this.isFiltered) { this.showWhole(); if (this.isFollowing) this.toBottom(); return; }
    this.watcher.disconnect();
    this.pieces = [];
    this.view.replaceChildren(this.empty);
    this.found = { after: 0, number: 0, isWhole: false, turn: (this.found?.turn ?? 0) + 1 };
    this.readOn();
  }

  async readOn() {
    const { turn } = this.found;
    if (this.found.isReading) return;
    this.found.isReading = true;
    const query = new URLSearchParams({ after: this.found.after, limit: this.size, level: this.level.value, stream: this.stream.value, q: this.search.value.trim() });
    try {
      const answer = await fetchJson(`${this.url}?${query}`);
      if (turn !== this.found.turn || !this.isFiltered) return;
      this.last = Math.max(this.last, answer.last);
      this.view.querySelector(".log-more")?.remove();
      this.view.append(...answer.lines.map((line) => lineElement(line, this.search.value.trim())));
      this.found.number += answer.lines.length;
      this.found.after = answer.lines.length ? answer.lines.at(-1)[0] : this.found.after;
      this.found.isWhole = answer.is_whole;
      if (!answer.is_whole) this.addMore();
      this.showCount();
      if (this.isFollowing) this.toBottom();
    } finally {
      if (turn === this.found.turn) this.found.isReading = false;
    }
  }

  addMore() {
    const more = element("div", { class: "log-more muted" }, "more lines follow");
    this.view.append(more);
    const watcher = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { watcher.disconnect(); this.readOn(); }
    }, { root: this.view, rootMargin: "400px 0px" });
    watcher.observe(more);
  }

  // -- News

  /** Takes lines from the live socket; a gap is filled when it comes into sight. */
  hear({ lines, last }) {
    if (last <= this.last && !lines.length) return;
    const before = this.last;
    this.last = Math.max(this.last, last);
    if (this.isFiltered) { if (this.found.isWhole && this.last > before) this.readOn(); return; }
    this.grow();
    for (const piece of this.pieces) {
      const mine = lines.filter((line) => line[0] > piece.from && line[0] <= piece.from + this.size);
      const follows = mine.length && mine[0][0] <= piece.from + (piece.lines ?? 0) + 1;
      // A piece that loads asks for what it lacks by itself; lines that would leave a gap wait for that.
      const isWanted = piece.isSeen || this.isFollowing;
      if (follows && !piece.isLoading && (piece.lines !== null || isWanted)) this.put(piece, mine);
      else if (mine.length && isWanted) this.load(piece);
    }
    if (this.isFollowing) this.toBottom();
  }

  setEnded(isEnded) {
    this.isEnded = isEnded;
    this.showCount();
  }

  showCount() {
    this.empty.hidden = this.isFiltered ? this.found.number > 0 || !this.found.isWhole : this.last > 0;
    this.empty.querySelector("[data-words]").textContent = this.isFiltered ? "No line matches" : this.isEnded ? "It wrote nothing" : "It has written nothing yet";
    const say = (count) => `${count.toLocaleString("en-GB")} line${count === 1 ? "" : "s"}`;
    this.count.textContent = this.isFiltered ? `${say(this.found.number)}${this.found.isWhole ? "" : " or more"} of ${this.last.toLocaleString("en-GB")}` : this.last ? say(this.last) : "";
  }

  // -- Following and going to a line

  isAtBottom() {
    return this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight < 40;
  }

  toBottom() {
    this.view.scrollTop = this.view.scrollHeight;
  }

  setFollowing(isOn) {
    this.isFollowing = isOn;
    this.followButton.setAttribute("aria-pressed", String(isOn));
    if (isOn) this.toBottom();
  }

  wantedLine() {
    const found = /^#L(\d+)$/.exec(location.hash);
    return found ? Number(found[1]) : null;
  }

  async goTo(number) {
    if (number > this.last || this.isFiltered) { this.markWanted(); return; }
    this.setFollowing(false);
    const piece = this.pieces[Math.floor((number - 1) / this.size)];
    piece.isSeen = true;
    await this.load(piece);
    this.markWanted();
    document.getElementById(`L${number}`)?.scrollIntoView({ block: "center" });
  }

  markWanted() {
    for (const old of this.view.querySelectorAll(".is-selected")) old.classList.remove("is-selected");
    const number = this.wantedLine();
    if (number) document.getElementById(`L${number}`)?.classList.add("is-selected");
  }
}

function lineElement([number, at, level, stream, text, data], sought = "") {
  const time = new Date(at);
  const clock = `${time.toLocaleTimeString("en-GB", { hour12: false })}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  const words = element("span", { class: "text" });
  if (stream !== "log") words.append(element("span", { class: "log-stream" }, stream === "engine" ? "engine" : stream), " ");
  if (level !== "info") words.append(element("span", { class: "log-level" }, level), " ");
  words.append(...marked(text, sought));
  if (data !== null) words.append(element("span", { class: "log-data" }, ` ${JSON.stringify(data)}`));
  return element("div", { class: "log-line", id: `L${number}`, "data-level": level },
    element("a", { class: "no", href: `#L${number}` }, String(number)),
    element("time", { class: "at", datetime: at, title: at }, clock),
    words);
}

function marked(text, sought) {
  if (!sought) return [text];
  const parts = [];
  const small = text.toLowerCase();
  let from = 0;
  for (let at = small.indexOf(sought.toLowerCase()); at >= 0 && parts.length < 100; at = small.indexOf(sought.toLowerCase(), from)) {
    parts.push(text.slice(from, at), element("mark", {}, text.slice(at, at + sought.length)));
    from = at + sought.length;
  }
  return [...parts, text.slice(from)];
}
