/** Texts by language. A page's catalog lies beside it and is loaded with it; `i18n/` has what all pages share. */
import { signal } from "./view.js";
import { store, stored } from "./stored.js";

/** @typedef {"en" | "zh-CN"} Language */
/** @typedef {string | {[category: string]: string}} Text A text, or one for each plural category of `n`. */

export const LANGUAGES = /** @type {const} */ ({ en: "English", "zh-CN": "中文" });

/** @type {import("./vendor/signals.js").Signal<Language>} */
export const language = signal(first());

/** @type {{[language: string]: {[key: string]: Text}}} */
const texts = { en: {}, "zh-CN": {} };
/** @type {Set<string>} */
const folders = new Set();

/**
 * The text of a key in the language of the moment; `{name}` stands for a value, and `n` chooses the plural.
 * @param {string} key
 * @param {{[name: string]: any}} [values]
 */
export function t(key, values) {
  let text = texts[language.value][key];
  if (text === undefined) return key;
  if (typeof text !== "string") text = text[plural(values?.n)] ?? text.other;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => shown(values[name], whole)) : text;
}

/**
 * Whether there is a text of this key.
 * @param {string} key
 */
export const has = (key) => texts[language.value][key] !== undefined;

/**
 * Load the catalog of a folder, such as `pages/runs`.
 * @param {string} folder
 */
export async function loadTexts(folder) {
  if (folders.has(folder)) return;
  await read(folder, language.value);
  folders.add(folder);
}

/** @param {Language} next */
export async function speak(next) {
  await Promise.all([...folders].map((folder) => read(folder, next)));
  store("language", next);
  document.documentElement.lang = next;
  language.value = next;
}

/**
 * @param {string} folder
 * @param {Language} of
 */
async function read(folder, of) {
  const answer = await fetch(new URL(`${folder}/${of}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`${folder}/${of}.json: ${answer.status}`);
  Object.assign(texts[of], await answer.json());
}

/** @param {number | undefined} count */
function plural(count) {
  return new Intl.PluralRules(language.value).select(count ?? 0);
}

/**
 * @param {any} value
 * @param {string} whole
 */
function shown(value, whole) {
  if (value === undefined) return whole;
  return typeof value === "number" ? new Intl.NumberFormat(language.value).format(value) : String(value);
}

/** @returns {Language} */
function first() {
  const chosen = stored("language");
  if (chosen === "en" || chosen === "zh-CN") return chosen;
  return navigator.languages.some((each) => each.startsWith("zh")) && !/^en/.test(navigator.language) ? "zh-CN" : "en";
}
