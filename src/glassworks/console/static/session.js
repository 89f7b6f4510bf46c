/** Who uses the console: nobody in particular on an open service, else whoever the key is for. */
import { restored } from "./connection.js";
import { signal } from "./view.js";

/** @typedef {import("./types").Session} Session */

/** @type {import("./vendor/signals.js").Signal<Session | null>} */
export const session = signal(null);
/** Whether a key is asked for. */
export const asking = signal(false);
/** Whose key was refused in the middle of their work; empty for a first visit. */
export const ended = signal("");

/** @type {((signedIn: boolean) => void)[]} */
let waiting = [];

/** @param {import("./types").Role} role */
export function may(role) {
  const roles = session.value?.roles ?? [];
  const rank = { infer: 0, viewer: 1, operator: 2, admin: 3 };
  return !!session.value?.open || roles.some((each) => (rank[each] ?? -1) >= rank[role]);
}

/** Ask the service who we are. */
export async function openSession() {
  const answer = await fetch("/api/v1/session", { headers: { accept: "application/json" }, cache: "no-store" });
  if (answer.ok) session.value = await answer.json();
  else if (answer.status === 401) asking.value = true;
  return answer.status;
}

/**
 * Whether somebody signed in; whoever asks while the question is open waits for the same answer.
 * @param {AbortSignal} [given]
 * @returns {Promise<boolean>}
 */
export function signIn(given) {
  if (session.value && !session.value.open) ended.value = session.value.name;
  asking.value = true;
  return new Promise((resolve) => {
    waiting.push(resolve);
    given?.addEventListener("abort", () => resolve(false));
  });
}

/** @param {Session} found */
export function signedIn(found) {
  session.value = found;
  asking.value = false;
  ended.value = "";
  const answered = waiting;
  waiting = [];
  for (const resolve of answered) resolve(true);
  if (!answered.length) restored.value += 1;
}

/** Forget the key, and ask for another. */
export function signedOut() {
  session.value = null;
  asking.value = true;
}
