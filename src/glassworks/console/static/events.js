/** Server-sent events that survive a lost connection: they go on behind the last one that arrived. */
import { reached, unreached } from "./connection.js";
import { urlOf } from "./api.js";
import { signIn } from "./session.js";
import { batch } from "./view.js";

/** @typedef {{id: string, kind: string, data: any}} Message */
/**
 * @typedef {object} Stream
 * @property {() => void} close
 */

const SILENT_MS = 30_000; // The service says something every four seconds.

/**
 * Follow a stream. While the page is hidden it is closed, since browsers allow few connections to a service, and
 * afterwards it catches up.
 * @param {string} path
 * @param {(message: Message) => void} take
 * @param {{after?: number | string, opened?: () => void}} [options]
 * @returns {Stream}
 */
export function follow(path, take, options = {}) {
  const state = { last: options.after === undefined ? "" : String(options.after), closed: false, failures: 0 };
  /** @type {AbortController | null} */
  let control = null;
  const turn = () => {
    if (document.hidden) control?.abort();
    else if (!control && !state.closed) open();
  };

  async function open() {
    const mine = (control = new AbortController());
    let ended = false;
    try {
      await read(path, state, take, mine, options.opened);
      ended = true;
    } catch (/** @type {any} */ caught) {
      if (caught.status === 401) await signIn(mine.signal); // the key was revoked or has ended since
      else if (!mine.signal.aborted || mine.signal.reason === "silent") unreached();
    }
    control = null;
    if (state.closed || document.hidden) return;
    const pause = ended ? 1000 : Math.min(5000, 250 * 2 ** state.failures++);
    setTimeout(turn, pause);
  }

  document.addEventListener("visibilitychange", turn);
  turn();
  return {
    close() {
      state.closed = true;
      document.removeEventListener("visibilitychange", turn);
      control?.abort();
    },
  };
}

/**
 * @param {string} path
 * @param {{last: string, failures: number, closed: boolean}} state
 * @param {(message: Message) => void} take
 * @param {AbortController} control
 * @param {(() => void) | undefined} opened
 */
async function read(path, state, take, control, opened) {
  /** @type {{[name: string]: string}} */
  const headers = { accept: "text/event-stream" };
  if (state.last) headers["last-event-id"] = state.last;
  const answer = await fetch(urlOf(path), { headers, signal: control.signal, cache: "no-store" });
  if (answer.status === 401) return void (await signIn(control.signal));
  if (!answer.ok || !answer.body) {
    if (answer.status === 404) state.closed = true;
    throw new Error(String(answer.status));
  }
  reached();
  state.failures = 0;
  opened?.();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await heard(reader, control);
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    batch(() => blocks.forEach((block) => deliver(block, state, take)));
  }
}

/**
 * @param {ReadableStreamDefaultReader<string>} reader
 * @param {AbortController} control
 */
async function heard(reader, control) {
  const timer = setTimeout(() => control.abort("silent"), SILENT_MS);
  try {
    return await reader.read();
  } finally {
    clearTimeout(timer);
  }
}

/** What ends a stream. @param {{detail: string, status: number}} said */
const problemOf = ({ detail, status }) => Object.assign(new Error(detail), { status });

/**
 * @param {string} block
 * @param {{last: string}} state
 * @param {(message: Message) => void} take
 */
function deliver(block, state, take) {
  const message = { id: "", kind: "message", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    const name = line.slice(0, colon);
    if (name === "data") message.data += (message.data && "\n") + value;
    else if (name === "event") message.kind = value;
    else if (name === "id") message.id = value;
  }
  if (message.id) state.last = message.id;
  if (!message.data) return;
  if (message.kind === "problem") throw problemOf(JSON.parse(message.data));
  take({ ...message, data: JSON.parse(message.data) });
}
