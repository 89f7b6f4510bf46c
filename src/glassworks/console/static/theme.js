/** Dark or light: as the system has it, unless one was chosen. */
import { signal } from "./view.js";
import { store, stored } from "./stored.js";

const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {import("./vendor/signals.js").Signal<"dark" | "light">} */
export const theme = signal(now());

system.addEventListener("change", () => show(now()));

/** The other theme; that of the system is not stored, so that it is followed again. */
export function switchTheme() {
  const next = theme.value === "dark" ? "light" : "dark";
  const own = next === (system.matches ? "dark" : "light");
  store("theme", own ? null : next);
  show(next);
}

/** @param {"dark" | "light"} chosen */
function show(chosen) {
  document.documentElement.dataset.theme = chosen;
  theme.value = chosen;
}

/**
 * The value of a CSS variable under the theme of the moment, as canvases need it.
 * @param {string} name
 */
export function color(name) {
  theme.value;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @returns {"dark" | "light"} */
function now() {
  const chosen = stored("theme");
  if (chosen === "dark" || chosen === "light") return chosen;
  return system.matches ? "dark" : "light";
}
