/**
 * What the service says in English, in the language of the moment. A catalog has sentences as the service's modules write
 * them, `{}` for each value: a text is found by what stands between its values, and they are said in the same way.
 */
import { has, language, t } from "./i18n.js";
import { signal } from "./view.js";

/** @typedef {{parts: string[], letters: number, said: string}} Template */
/** @typedef {{text: string, known: boolean}} Worded */

/** @type {import("./vendor/signals.js").Signal<{[language: string]: Template[]}>} */
const catalogs = signal({});
/** @type {Set<string>} */
const asked = new Set();
/** @type {Map<string, Worded>} */
const before = new Map();
const MOST = 5000;

/**
 * A text of the service; `known` says whether the catalog has it, or nothing has to be said otherwise.
 * @param {string} text
 * @returns {Worded}
 */
export function worded(text) {
  const to = language.value;
  if (to === "en" || !/[a-z]/i.test(text)) return { text, known: true };
  const templates = catalogs.value[to];
  if (!templates) {
    load(to);
    return { text, known: true };
  }
  const key = `${to} ${text}`;
  const kept = before.get(key) ?? translated(text, templates, 4);
  if (before.size > MOST) before.clear();
  before.set(key, kept);
  return kept;
}

/**
 * The same where only a text fits, such as in a title.
 * @param {string} text
 */
export const spoken = (text) => worded(text).text;

/**
 * A sentence that has a code: as the catalog of the page says it.
 * @param {string} page
 * @param {import("./types").Sentence | string} sentence Runs of before have texts alone.
 */
export function said(page, sentence) {
  if (typeof sentence === "string") return spoken(sentence);
  const key = `${page}.${sentence.code}`;
  if (!sentence.code || !has(key)) return spoken(sentence.text);
  const values = Object.entries(sentence.values ?? {}).map(([name, value]) => [name, typeof value === "string" && / /.test(value) ? spoken(value) : value]);
  return t(key, Object.fromEntries(values));
}

/** @param {string} to */
async function load(to) {
  if (asked.has(to)) return;
  asked.add(to);
  const answer = await fetch(new URL(`i18n/service/${to}.json`, import.meta.url)).catch(() => null);
  if (!answer?.ok) return void asked.delete(to);
  const found = Object.entries(await answer.json()).map(([text, said]) => {
    const parts = text.split("{}");
    return { parts, letters: parts.join("").length, said: String(said) };
  });
  // The one that says most of a text is meant.
  catalogs.value = { ...catalogs.value, [to]: found.sort((a, b) => b.letters - a.letters) };
}

/**
 * @param {string} text
 * @param {Template[]} templates
 * @param {number} depth
 * @returns {Worded}
 */
function translated(text, templates, depth) {
  const all = text.trim();
  const lead = /^([\w -]+: )(?=.)/.exec(all)?.[1];
  const led = templates.find(({ parts }) => parts.length === 2 && parts[0] === lead && !parts[1]);
  const found = templates.find(({ parts }) => matched(all, parts));
  // What begins with a word and a colon says that first: a sentence that begins with a value comes behind it.
  const template = led && !found?.parts[0] ? led : found;
  const parts = depth > 0 ? all.split("; ") : [all];
  if (template) {
    const values = matched(all, template.parts) ?? [];
    // A value that holds the next sentence is none.
    const apart = parts.length > 1 && values.some((each) => each.includes("; ")) ? parts.map((part) => translated(part, templates, depth - 1)) : [];
    if (apart.length > 1 && apart.every((each) => each.known)) return { text: apart.map((each) => each.text).join("；"), known: true };
    return { text: template.said.replace(/\{(\d)\}/g, (_, at) => inner(values[at] ?? "", templates, depth)), known: true };
  }
  // A name, a number or what is Chinese already needs no mark.
  if (parts.length < 2) return { text, known: /[\u3400-\u9fff]/.test(text) || !/[a-z]{2}\W+[a-z]{2}/i.test(text) };
  const said = parts.map((part) => translated(part, templates, depth - 1));
  return { text: said.map((each) => each.text).join("；"), known: said.every((each) => each.known) };
}

/**
 * A value of a sentence: a word or two are a name; more may be a sentence of its own.
 * @param {string} value
 * @param {Template[]} templates
 * @param {number} depth
 */
const inner = (value, templates, depth) => (depth > 0 && /: | .* /.test(value) ? translated(value, templates, depth - 1).text : value);

/**
 * What stands between the parts of a template; null where they are not there in this order.
 * @param {string} text
 * @param {string[]} parts
 * @returns {string[] | null}
 */
function matched(text, parts) {
  const last = parts.length - 1;
  if (last === 0) return text === parts[0] ? [] : null;
  if (!text.startsWith(parts[0]) || !text.endsWith(parts[last])) return null;
  const values = [];
  const end = text.length - parts[last].length;
  let at = parts[0].length;
  let empty = 0;
  for (const part of [...parts.slice(1, last), null]) {
    // Of values with nothing between them the first one has it all.
    if (part === "") {
      empty += 1;
      continue;
    }
    const next = part === null ? end : text.indexOf(part, at);
    if (next < at || next > end) return null;
    values.push(text.slice(at, next), ...Array(empty).fill(""));
    at = next + (part ?? "").length;
    empty = 0;
  }
  return values;
}
