/** Whether the service can be reached, as requests and streams find it. */
import { batch, signal } from "./view.js";

/** @typedef {"live" | "reconnecting" | "offline"} Connection */

/** @type {import("./vendor/signals.js").Signal<Connection>} */
export const connection = signal("live");
/** How often the connection came back, or somebody signed in: what is on the screen is read again when it grows. */
export const restored = signal(0);

const OFFLINE_AFTER_MS = 15_000;
let since = 0;
let waiting = 0;

/** Something arrived. */
export function reached() {
  if (connection.value === "live") return;
  clearTimeout(waiting);
  batch(() => {
    connection.value = "live";
    restored.value += 1;
  });
}

/** A request or a stream broke off; from now on it is tried again and again. */
export function unreached() {
  if (connection.value !== "live") return;
  since = Date.now();
  connection.value = "reconnecting";
  waiting = setTimeout(ask, 500);
}

async function ask() {
  try {
    const answer = await fetch("/api/v1/session", { signal: AbortSignal.timeout(4000), cache: "no-store" });
    if (answer.status < 500) return reached();
  } catch {
    // Still away.
  }
  const gone = Date.now() - since;
  if (gone > OFFLINE_AFTER_MS) connection.value = "offline";
  waiting = setTimeout(ask, Math.min(5000, 500 + gone / 4));
}

/** Ask now rather than in some seconds. */
export function askNow() {
  if (connection.value === "live") return;
  clearTimeout(waiting);
  ask();
}

addEventListener("online", askNow);
