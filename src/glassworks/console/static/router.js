/** Addresses behind `#`, so that every view can be linked: `#/runs/31cf?tab=log`. */
import { signal } from "./view.js";

/** @typedef {{page: string, rest: string[], query: {[name: string]: string}}} Route */

/** @type {import("./vendor/signals.js").Signal<Route>} */
export const route = signal(parsed(location.hash));

let arriving = false;

addEventListener("hashchange", () => {
  arriving = true;
  route.value = parsed(location.hash);
});

/** Whether a page was just come to, so that its title takes the focus; only once. */
export function arrived() {
  const was = arriving;
  arriving = false;
  return was;
}

/**
 * The link to a page: `link("runs", run.id)`, with a query as the last one.
 * @param {...(string | {[name: string]: any})} parts
 */
export function link(...parts) {
  const query = typeof parts[parts.length - 1] === "object" ? parts.pop() : undefined;
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const path = parts.map((part) => encodeURIComponent(String(part))).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

/**
 * Go to a page; with `replace` the one before is not kept in the history.
 * @param {string} to
 * @param {boolean} [replace]
 */
export function go(to, replace = false) {
  if (!replace) location.hash = to;
  else {
    history.replaceState(null, "", to);
    route.value = parsed(to);
  }
}

/**
 * Change the query of the page that is shown, without a new entry in the history.
 * @param {{[name: string]: any}} changes
 */
export function requery(changes) {
  const { page, rest, query } = route.peek();
  go(link(page, ...rest, { ...query, ...changes }), true);
}

/**
 * @param {string} hash
 * @returns {Route}
 */
function parsed(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { page: page || "home", rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
