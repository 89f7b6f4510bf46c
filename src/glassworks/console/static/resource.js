/** What pages read: once, again when the connection came back, and not after one has left the page. */
import { get, isAbort } from "./api.js";
import { restored } from "./connection.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/**
 * @template T
 * @typedef {object} Resource
 * @property {T | undefined} value The last that was read, also while it is read again.
 * @property {any} error
 * @property {boolean} loading
 * @property {() => void} reload
 * @property {(change: (value: T) => T) => void} change Puts another value on the screen, as events bring it.
 */

/**
 * The answer to a GET; `null` reads nothing.
 * @template T
 * @param {string | null} path
 * @param {{[name: string]: any}} [query]
 * @returns {Resource<T>}
 */
export function useResource(path, query) {
  const wanted = JSON.stringify([path, query]);
  return useLoaded((signal) => (path === null ? Promise.resolve(undefined) : get(path, { signal, query })), wanted);
}

/**
 * What a function loads, again when `key` changes.
 * @template T
 * @param {(signal: AbortSignal) => Promise<any>} load
 * @param {string} key
 * @returns {Resource<T>}
 */
export function useLoaded(load, key) {
  /** @type {[any, any]} */
  const [state, set] = useState({ key, value: undefined, error: undefined, loading: true });
  const [turn, setTurn] = useState(0);
  const again = restored.value;
  useEffect(() => {
    const control = new AbortController();
    set((/** @type {any} */ was) => ({ ...(was.key === key ? was : { value: undefined }), key, error: undefined, loading: true }));
    load(control.signal).then(
      (value) => control.signal.aborted || set({ key, value, error: undefined, loading: false }),
      (error) => isAbort(error) || control.signal.aborted || set((/** @type {any} */ was) => ({ ...was, error, loading: false })),
    );
    return () => control.abort();
  }, [key, turn, again]);
  const shown = state.key === key ? state : { value: undefined, error: undefined, loading: true };
  return {
    value: shown.value,
    error: shown.error,
    loading: shown.loading,
    reload: useCallback(() => setTurn((/** @type {number} */ was) => was + 1), []),
    change: useCallback(
      (/** @type {any} */ change) =>
        set((/** @type {any} */ was) => (was.value === undefined ? was : { ...was, value: change(was.value) })),
      [],
    ),
  };
}

/**
 * A list that is read by pages: `more` reads the next one.
 * @template T
 * @param {string | null} path
 * @param {{[name: string]: any}} [query]
 * @returns {{items: T[], error: any, loading: boolean, complete: boolean, more: () => void, reload: () => void,
 *   change: (change: (items: T[]) => T[]) => void}}
 */
export function usePages(path, query) {
  /** @type {Resource<import("./types").Page<T>>} */
  const first = useResource(path, query);
  const busy = useRef(false);
  const { change } = first;
  const next = first.value?.next ?? null;
  const more = async () => {
    if (path === null || next === null || busy.current) return;
    busy.current = true;
    try {
      /** @type {import("./types").Page<T>} */
      const page = await get(path, { query: { ...query, after: next } });
      change((was) => (was.next === next ? { items: was.items.concat(page.items), next: page.next } : was));
    } finally {
      busy.current = false;
    }
  };
  return {
    items: first.value?.items ?? [],
    error: first.error,
    loading: first.loading && !first.value,
    complete: !!first.value && next === null,
    more,
    reload: first.reload,
    change: (alter) => change((was) => ({ ...was, items: alter(was.items) })),
  };
}
