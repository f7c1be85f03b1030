// The connection's state and the running count in the top bar; the live socket's module calls these.

const WORDS = { live: "live", polling: "polling", offline: "offline" };

/** Shows "live", "polling" or "offline" in the top bar. */
export function setLiveState(state) {
  const place = document.getElementById("live-state");
  if (!place || place.dataset.state === state) return;
  place.dataset.state = state;
  place.textContent = WORDS[state] ?? state;
}

/** Shows how many executions run now. */
export function setRunningCount(count, text = String(count)) {
  const chip = document.getElementById("running-count");
  if (!chip) return;
  chip.dataset.count = count;
  chip.querySelector("[data-number]").textContent = text;
}
