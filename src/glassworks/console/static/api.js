/** The control API: JSON in and out, errors as `Problem`, repeated where that is safe. */
import { reached, unreached } from "./connection.js";
import { signIn } from "./session.js";
import { t } from "./i18n.js";

/** @typedef {import("./types").Fault} Fault */
/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal]
 * @property {string} [match] The ETag that must still hold: `If-Match`.
 * @property {boolean} [idempotent] Sends an `Idempotency-Key`, and so may repeat a POST.
 * @property {BodyInit} [raw] A body that is no JSON.
 * @property {string} [accept] Another type than JSON, which is given as a Blob.
 */

export const ROOT = "/api/v1";
const TRIES = 4;
const PASSING = new Set([502, 503, 504]);

/** What went wrong, and what to do. */
export class Problem extends Error {
  /**
   * @param {string} problem
   * @param {string} mend
   * @param {{status?: number, code?: string, errors?: Fault[], etag?: string | null}} [more]
   */
  constructor(problem, mend, more = {}) {
    super(problem);
    this.problem = problem;
    this.mend = mend;
    this.status = more.status ?? 0;
    this.code = more.code ?? "";
    /** @type {Fault[]} */
    this.errors = more.errors ?? [];
    this.etag = more.etag ?? null;
  }
}

/**
 * @template T
 * @param {string} path Relative to the API, or from the root, such as `/v2/models/digits/infer`.
 * @param {Options & {query?: {[name: string]: any}}} [options]
 * @returns {Promise<T>}
 */
export async function get(path, options = {}) {
  return (await send("GET", path + queryOf(options.query), undefined, options)).value;
}

/**
 * The value, and its ETag for a later change.
 * @template T
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{value: T, etag: string | null}>}
 */
export const getTagged = (path, options = {}) => send("GET", path, undefined, options);

/**
 * @template T
 * @param {string} path
 * @param {any} [body]
 * @param {Options} [options]
 * @returns {Promise<T>}
 */
export const post = async (path, body, options = {}) => (await send("POST", path, body, options)).value;

/**
 * @template T
 * @param {string} path
 * @param {any} [body]
 * @param {Options} [options]
 * @returns {Promise<T>}
 */
export const put = async (path, body, options = {}) => (await send("PUT", path, body, options)).value;

/**
 * @template T
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<T>}
 */
export const remove = async (path, options = {}) => (await send("DELETE", path, undefined, options)).value;

/**
 * Where a path lies.
 * @param {string} path
 */
export function urlOf(path) {
  return path.startsWith("/v2/") || path.startsWith("/v1/") || path.startsWith(ROOT) ? path : ROOT + path;
}

/**
 * `?a=1&b=2`, without what is not given.
 * @param {{[name: string]: any}} [query]
 */
export function queryOf(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/**
 * Whether an error only says that nobody waits for the answer any more.
 * @param {any} error
 */
export const isAbort = (error) => error?.name === "AbortError";

/**
 * @param {string} method
 * @param {string} path
 * @param {any} body
 * @param {Options} options
 */
async function send(method, path, body, options) {
  const headers = headersOf(body, options);
  const repeatable = method !== "POST" || options.idempotent;
  for (let attempt = 1; ; attempt++) {
    const content = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const answer = await exchange(urlOf(path), { method, headers, body: content, signal: options.signal });
    if (answer && !PASSING.has(answer.status)) {
      reached();
      if (answer.ok) return { value: await valueOf(answer, options), etag: answer.headers.get("etag") };
      const problem = await problemOf(answer);
      if (answer.status === 401 && path !== "/session" && (await signIn(options.signal))) continue;
      throw problem;
    }
    if (!answer) unreached();
    if (!repeatable || attempt >= TRIES) throw answer ? await problemOf(answer) : away();
    await pause(Number(answer?.headers.get("retry-after")) * 1000 || 300 * 2 ** attempt, options.signal);
  }
}

/**
 * @param {string} url
 * @param {RequestInit} request
 */
async function exchange(url, request) {
  try {
    return await fetch(url, { credentials: "same-origin", ...request });
  } catch (error) {
    if (isAbort(error)) throw error;
    return null;
  }
}

/**
 * @param {any} body
 * @param {Options} options
 */
function headersOf(body, options) {
  /** @type {{[name: string]: string}} */
  const headers = { accept: options.accept ?? "application/json" };
  if (options.raw) headers["content-type"] = "application/octet-stream";
  else if (body !== undefined) headers["content-type"] = "application/json";
  if (options.match) headers["if-match"] = options.match;
  if (options.idempotent) headers["idempotency-key"] = unique();
  return headers;
}

/**
 * @param {Response} answer
 * @param {Options} options
 */
async function valueOf(answer, options) {
  if (answer.status === 204) return null;
  return options.accept ? answer.blob() : answer.json();
}

/** @param {Response} answer */
async function problemOf(answer) {
  /** @type {any} */
  let said = {};
  try {
    said = await answer.json();
  } catch {
    // No JSON: a proxy answered.
  }
  // Inference endpoints say it as {"error": ...}.
  const nested = typeof said.error === "object" ? said.error : {};
  const [first, second] = lines(said.detail ?? nested.problem ?? nested.message ?? said.error ?? said.title, said.mend ?? nested.mend);
  const problem = first ?? t("error.status", { status: answer.status });
  const mend = second ?? t("error.retry");
  return new Problem(String(problem), mend, {
    status: answer.status, code: said.code, errors: said.errors, etag: answer.headers.get("etag"),
  });
}

/**
 * Problem and mend; inference endpoints join them to one text.
 * @param {any} problem
 * @param {string | undefined} mend
 */
function lines(problem, mend) {
  if (mend !== undefined || typeof problem !== "string") return [problem, mend];
  const at = problem.indexOf("; ");
  return at < 0 ? [problem, undefined] : [problem.slice(0, at), problem.slice(at + 2)];
}

function away() {
  return new Problem(t("error.away"), t("error.away.mend"));
}

/** A key that nobody else makes; `crypto.randomUUID` is missing where a page comes over plain HTTP. */
function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
