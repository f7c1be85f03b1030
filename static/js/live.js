// Live news of executions: one socket per page, and polling while it cannot connect.
// A page calls follow(wish, hear); without one the page only hears the running count. Messages: executions/subscriptions.py.
import { setLiveState, setRunningCount } from "./ui/live_state.js";
import { fetchJson } from "./ui/requests.js";
import { toast } from "./ui/toasts.js";

const POLL_MS = 3000;
const SHELL_POLL_MS = 15000;
const TOPICS_POLL_MS = 5000;
const SILENCE_MS = 45000; // the server pings every 20 s
const ACK_EVERY = 16;
const SIGNED_OUT = 4401;
const NOT_THERE = 4404;

const topics = []; // [name or null, listener]
let makeWish = () => ({ subscribe: "shell" });
let hear = () => {};
let socket = null;
let failures = 0;
let received = 0;
let acknowledged = 0;
let ackTimer = null;
let silenceTimer = null;
let pollTimer = null;
let retryTimer = null;
let isStopped = false;
let hasBeenLost = false;
let topicsAskedAt = 0;

/** Follows what `wish()` describes; `listener` gets every message. Called again it asks anew. */
export function follow(wish, listener) {
  makeWish = wish;
  hear = listener;
  ask();
}

/** Calls the listener with what news of a topic (null: of any) is about; without a list when some may have been missed. */
export function onTopic(name, listener) {
  topics.push([name, listener]);
}

function tellTopics(name, about) {
  for (const [wanted, listener] of topics) if (!wanted || !name || wanted === name) listener(about);
}

/** Asks for a new snapshot of what is followed. */
export function ask() {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(makeWish()));
  else if (pollTimer !== null) pollSoon(0);
}

function connect() {
  clearTimeout(retryTimer);
  if (isStopped) return;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  try {
    socket = new WebSocket(`${scheme}//${location.host}/ws/live`);
  } catch {
    lost(0);
    return;
  }
  const mine = socket;
  let isOpen = false;
  // A proxy that swallows the upgrade never answers.
  const patience = setTimeout(() => mine.close(), 5000);
  mine.addEventListener("open", () => {
    isOpen = true;
    if (hasBeenLost) tellTopics();
    clearTimeout(patience);
    failures = received = acknowledged = 0;
    stopPolling();
    setLiveState("live");
    mine.send(JSON.stringify(makeWish()));
    watchSilence();
  });
  mine.addEventListener("message", (event) => {
    watchSilence();
    received += 1;
    acknowledgeSoon();
    take(JSON.parse(event.data));
  });
  mine.addEventListener("close", (event) => {
    clearTimeout(patience);
    clearTimeout(silenceTimer);
    if (socket === mine) lost(event.code, isOpen);
  });
}

function lost(code, wasOpen = false) {
  socket = null;
  hasBeenLost = true;
  if (code === SIGNED_OUT) { signedOut(); return; }
  if (code === NOT_THERE) { makeWish = () => ({ subscribe: "shell" }); hear = () => {}; }
  failures += 1;
  if (!wasOpen || failures > 1) startPolling();
  // Spread out, so that a restarted server is not met by everyone at once.
  const pause = Math.min(15000, 400 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random());
  retryTimer = setTimeout(connect, pause);
}

function take(message) {
  if (message.type === "resync") { ask(); return; }
  if (message.running !== undefined) setRunningCount(message.running);
  if (message.type === "running") setRunningCount(message.count);
  else if (message.type === "topic") tellTopics(message.topic, message.about);
  else if (message.type !== "ping") hear(message);
}

function acknowledgeSoon() {
  if (received - acknowledged >= ACK_EVERY) acknowledge();
  else if (ackTimer === null) ackTimer = setTimeout(acknowledge, 250);
}

function acknowledge() {
  clearTimeout(ackTimer);
  ackTimer = null;
  if (socket?.readyState !== WebSocket.OPEN || received === acknowledged) return;
  acknowledged = received;
  socket.send(JSON.stringify({ ack: received }));
}

function watchSilence() {
  clearTimeout(silenceTimer);
  silenceTimer = setTimeout(() => socket?.close(), SILENCE_MS);
}

// -- Polling, while there is no socket

function startPolling() {
  if (pollTimer === null && !isStopped) { setLiveState("polling"); pollSoon(0); }
}

function stopPolling() {
  clearTimeout(pollTimer);
  pollTimer = null;
}

function pollSoon(pause) {
  clearTimeout(pollTimer);
  pollTimer = setTimeout(poll, pause);
}

async function poll() {
  const wish = makeWish();
  try {
    if (!document.hidden) {
      const answer = await fetchJson("/executions/poll", { method: "POST", body: wish });
      if (pollTimer === null) return; // the socket is back
      setLiveState("polling");
      answer.messages.forEach(take);
      if (Date.now() - topicsAskedAt > TOPICS_POLL_MS) { topicsAskedAt = Date.now(); tellTopics(); }
    }
  } catch (error) {
    if (error.status === 401) { signedOut(); return; }
    if (pollTimer === null) return;
    setLiveState("offline");
  }
  pollSoon(wish.subscribe === "shell" ? SHELL_POLL_MS : POLL_MS);
}

function signedOut() {
  isStopped = true;
  stopPolling();
  setLiveState("offline");
  toast("You are signed out. Sign in again to see what happens.", { kind: "err" });
}

// Page modules run before this event and say what they follow; so the first question is the right one.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", connect);
else setTimeout(connect, 0);
addEventListener("online", () => { if (!socket) connect(); });
addEventListener("pageshow", (event) => { if (event.persisted && !socket) connect(); });
