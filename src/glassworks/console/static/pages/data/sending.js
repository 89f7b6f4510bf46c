/** What is being sent: it goes on while one looks at other pages, waits while the service is away, and goes on where it was. */
import { get, isAbort, post, Problem, put, remove } from "../../api.js";
import { restored } from "../../connection.js";
import { go, link, route } from "../../router.js";
import { store, stored } from "../../stored.js";
import { effect, signal } from "../../view.js";
import { nameOf } from "./dropped.js";
import { zipped } from "./zip.js";

/** @typedef {import("./dropped.js").Chosen} Chosen */
/**
 * @typedef {object} Sending
 * @property {number} number
 * @property {string} name
 * @property {number} size
 * @property {number} done Bytes that were read, or have arrived.
 * @property {number | null} rate Bytes a second.
 * @property {"reading" | "sending" | "paused" | "away" | "finishing" | "done" | "failed"} state
 * @property {any} error
 * @property {import("../../types").DataItem | null} item
 */

/** @type {import("../../vendor/signals.js").Signal<Sending[]>} */
export const sendings = signal([]);

/** Parts small enough that progress is seen, and that little is sent twice. */
const PART = 2 * 2 ** 20;
/** Files up to this size are hashed as a whole, which WebCrypto needs them in memory for. */
const HASHED = 32 * 2 ** 20;
const AGAIN_MS = 4000;
const WORKS = ["reading", "sending", "finishing"];

let made = 0;
/** @type {Map<number, {blob: Blob | null, files: Chosen[], kind: string, id: string, control: AbortController}>} */
const work = new Map();

/** Those who wait for the service go on when it answers again. */
effect(() => {
  restored.value;
  for (const each of sendings.peek()) if (each.state === "away") resume(each.number);
});

addEventListener("beforeunload", (event) => {
  if (sendings.peek().some((each) => WORKS.includes(each.state))) event.preventDefault();
});

/**
 * Send files: one as it is, more as an archive.
 * @param {Chosen[]} files
 * @param {string} [kind] What they are, where somebody says it.
 */
export function send(files, kind = "") {
  if (!files.length) return;
  const number = ++made;
  const size = files.reduce((sum, each) => sum + each.file.size, 0);
  const name = nameOf(files);
  sendings.value = [{ number, name, size, done: 0, rate: null, state: "reading", error: null, item: null }, ...sendings.value];
  work.set(number, { blob: null, files, kind, id: "", control: new AbortController() });
  resume(number);
}

/** @param {number} number */
export function pause(number) {
  change(number, { state: "paused", rate: null });
  work.get(number)?.control.abort();
}

/**
 * Go on, or begin again after a failure.
 * @param {number} number
 */
export async function resume(number) {
  const own = work.get(number);
  const shown = sendings.peek().find((each) => each.number === number);
  if (!own || !shown) return;
  own.control = new AbortController();
  try {
    await run(number, own, shown.name);
  } catch (error) {
    if (isAbort(error)) return;
    const { status } = /** @type {any} */ (error);
    const away = status === 0 || (status >= 502 && status <= 504); // A full disk, 507, does not pass by itself.
    const passing = away && error instanceof Problem && own.blob !== null;
    change(number, { state: passing ? "away" : "failed", rate: null, error: passing ? null : error });
    if (passing) setTimeout(() => sendings.peek().find((each) => each.number === number)?.state === "away" && resume(number), AGAIN_MS);
  }
}

/**
 * Take it out of the list; what has arrived of it is forgotten.
 * @param {number} number
 */
export function forget(number) {
  const own = work.get(number);
  own?.control.abort();
  const ended = sendings.peek().find((each) => each.number === number)?.state === "done";
  if (own?.id && !ended) remove(`/uploads/${own.id}`).catch(() => undefined);
  work.delete(number);
  sendings.value = sendings.value.filter((each) => each.number !== number);
}

/**
 * @param {number} number
 * @param {{blob: Blob | null, files: Chosen[], kind: string, id: string, control: AbortController}} own
 * @param {string} name
 */
async function run(number, own, name) {
  const { signal } = own.control;
  if (!own.blob) {
    change(number, { state: "reading", done: 0, error: null });
    const progress = paced((/** @type {number} */ done) => change(number, { done }));
    own.blob = own.files.length === 1 ? own.files[0].file : await zipped(own.files, progress, signal);
  }
  const { blob } = own;
  const mark = `upload.${name}.${blob.size}.${own.files.reduce((sum, each) => (sum * 31 + each.file.lastModified) % 2 ** 40, 7)}`;
  change(number, { state: "sending", size: blob.size, done: 0, error: null });
  let offset = await begun(own, name, mark);
  change(number, { done: offset });
  const rate = speed(offset);
  while (offset < blob.size) {
    offset = await part(own, offset);
    change(number, { done: offset, rate: rate(offset) });
  }
  change(number, { state: "finishing", rate: null });
  /** @type {import("../../types").DataItem} */
  const item = await finished(own, mark);
  change(number, { state: "done", item });
  const { page, rest } = route.peek();
  if (page === "data" && !rest.length) go(link("data", item.id ?? item.source));
}

/**
 * Where it goes on: an upload that has begun, also one of an earlier visit, or a new one.
 * @param {{blob: Blob | null, kind: string, id: string, control: AbortController}} own
 * @param {string} name
 * @param {string} mark
 */
async function begun(own, name, mark) {
  const { signal } = own.control;
  const blob = /** @type {Blob} */ (own.blob);
  const known = own.id || stored(mark);
  if (known) {
    try {
      /** @type {{offset: number, size_bytes: number}} */
      const found = await get(`/uploads/${known}`, { signal });
      if (found.size_bytes === blob.size) {
        own.id = known;
        return found.offset;
      }
    } catch (error) {
      if (/** @type {any} */ (error).status !== 404) throw error;
    }
  }
  const body = { name, size_bytes: blob.size, kind: own.kind || undefined, sha256: await hashed(blob) };
  /** @type {{id: string, offset: number}} */
  const upload = await post("/uploads", body, { signal });
  own.id = upload.id;
  store(mark, upload.id);
  return upload.offset;
}

/**
 * Send the next part; the offset of the one after it.
 * @param {{blob: Blob | null, id: string, control: AbortController}} own
 * @param {number} offset
 */
async function part(own, offset) {
  const { signal } = own.control;
  const raw = /** @type {Blob} */ (own.blob).slice(offset, offset + PART);
  try {
    /** @type {{offset: number}} */
    const answer = await put(`/uploads/${own.id}?offset=${offset}`, undefined, { raw, signal });
    return answer.offset;
  } catch (error) {
    if (/** @type {any} */ (error).status !== 409) throw error;
    /** @type {{offset: number}} */
    const found = await get(`/uploads/${own.id}`, { signal });
    if (found.offset === offset) throw error;
    return found.offset;
  }
}

/**
 * @param {{id: string, control: AbortController}} own
 * @param {string} mark
 * @returns {Promise<any>}
 */
async function finished(own, mark) {
  try {
    const item = await post(`/uploads/${own.id}/complete`, undefined, { signal: own.control.signal, idempotent: true });
    store(mark, null);
    return item;
  } catch (error) {
    // The service forgets what is no data; what it could not keep just now can be completed later.
    const { status } = /** @type {any} */ (error);
    if (status >= 400 && status < 500) {
      store(mark, null);
      own.id = "";
    }
    throw error;
  }
}

/** @param {Blob} blob */
async function hashed(blob) {
  if (blob.size > HASHED || !globalThis.crypto?.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(digest, (each) => each.toString(16).padStart(2, "0")).join("");
}

/** Bytes a second over the last seconds. @param {number} begin */
function speed(begin) {
  const seen = [{ at: performance.now(), offset: begin }];
  return (/** @type {number} */ offset) => {
    const at = performance.now();
    seen.push({ at, offset });
    while (seen.length > 2 && at - seen[0].at > 5000) seen.shift();
    return at - seen[0].at < 300 ? null : (1000 * (offset - seen[0].offset)) / (at - seen[0].at);
  };
}

/** Calls a function at most ten times a second. @param {(value: number) => void} run */
function paced(run) {
  let last = 0;
  return (/** @type {number} */ value) => {
    if (performance.now() - last < 100) return;
    last = performance.now();
    run(value);
  };
}

/**
 * @param {number} number
 * @param {Partial<Sending>} changes
 */
function change(number, changes) {
  sendings.value = sendings.value.map((each) => (each.number === number ? { ...each, ...changes } : each));
}

