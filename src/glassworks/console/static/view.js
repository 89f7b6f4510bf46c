/** What pages and components are written with: elements, hooks and signals. */
import { Fragment, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { Fragment, h, render };
export {
  useCallback, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState,
} from "./vendor/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal } from "./vendor/signals.js";
export const html = htm.bind(h);

/**
 * Names of classes, without those that do not apply.
 * @param {...(string | false | null | undefined)} names
 */
export const classes = (...names) => names.filter(Boolean).join(" ");
