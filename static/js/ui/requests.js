// What all requests of htmx share: the CSRF token, and an honest word when one fails.
import { csrfToken, toast } from "./toasts.js";

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = csrfToken();
});

document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  toast(wordsFor(status, responseText), { kind: "err" });
});

document.addEventListener("htmx:sendError", () => {
  toast("The server does not answer. Check the connection and try again.", { kind: "err" });
});

function wordsFor(status, body) {
  try {
    const said = JSON.parse(body)?.error?.message;
    if (said) return said;
  } catch { /* a page, not our error shape */ }
  if (status === 401) return "You are signed out. Sign in and try again.";
  if (status === 403) return "You may not do this.";
  if (status === 404) return "This is not here any more.";
  return `The server could not do this (${status}).`;
}

/** Fetches JSON from our own server; throws an Error with the server's words. */
export async function fetchJson(url, { method = "GET", body = null, signal = null } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== null) headers["Content-Type"] = "application/json";
  const response = await fetch(url, { method, headers, signal, body: body === null ? null : JSON.stringify(body), credentials: "same-origin" });
  const text = await response.text();
  if (!response.ok) throw Object.assign(new Error(wordsFor(response.status, text)), { status: response.status });
  return text ? JSON.parse(text) : null;
}
