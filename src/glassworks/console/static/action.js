/** What a button does: one at a time, with its error kept to be shown beside it. */
import { useRef, useState } from "./view.js";
import { isAbort } from "./api.js";

/**
 * @template {any[]} A
 * @param {(...values: A) => Promise<any>} run
 * @returns {{go: (...values: A) => Promise<any>, busy: boolean, error: any, clear: () => void}}
 */
export function useAction(run) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const running = useRef(false);
  const go = async (/** @type {A} */ ...values) => {
    if (running.current) return undefined;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      return await run(...values);
    } catch (caught) {
      if (!isAbort(caught)) setError(caught);
      return undefined;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { go, busy, error, clear: () => setError(null) };
}
