/** A form made from a JSON schema: nested tables as groups, each key as the field of its type. */
import { has, t } from "../i18n.js";
import { html } from "../view.js";
import { CheckField, NumberField, SelectField, TextField } from "./fields.js";

/** @typedef {import("../types").Schema} Schema */
/** @typedef {import("../types").Fault} Fault */
/**
 * @typedef {object} Form
 * @property {Schema} root The whole schema, whose `$defs` are referred to.
 * @property {{[key: string]: any}} value The table; what it does not hold has its default.
 * @property {(path: string[], value: any) => void} onChange With `undefined` the key is taken out.
 * @property {Fault[]} [faults]
 * @property {string} [texts] The prefix of labels and hints in the catalog; what has none is named by the schema.
 * @property {string[]} [hide] Paths that are not shown.
 */

/** @param {Form & {schema?: Schema, path?: string[]}} props */
export function SchemaForm({ schema, path = [], ...form }) {
  const table = resolved(schema ?? form.root, form.root);
  const entries = Object.entries(table.properties ?? {}).map(([key, part]) => ({ path: [...path, key], part: resolved(part, form.root) }));
  const shown = entries.filter((each) => !form.hide?.includes(each.path.join(".")));
  // A key that is a value or a table has a field and a group, until one of them is used.
  const either = shown.flatMap((each) => {
    const table = tableAmong(each.part);
    const given = at(form.value, each.path);
    if (!table || typeof given === "string") return [each];
    const group = { ...each, part: table };
    return given === undefined ? [each, group] : [group];
  });
  const plain = either.filter((each) => !each.part.properties);
  const groups = either.filter((each) => each.part.properties && Object.keys(each.part.properties).length);
  return html`${plain.length > 0 &&
    html`<div class="fields">${plain.map((each) => html`<${Entry} key=${each.path.join(".")} ...${each} form=${form} />`)}</div>`}
    ${groups.map((each) => html`<${Group} key=${each.path.join(".")} ...${each} form=${form} />`)}`;
}

/**
 * The fields of a few keys, in their order; a schema without one of them has no field for it.
 * @param {Form & {paths: string[]}} props
 */
export function Fields({ paths, ...form }) {
  const found = paths.map((key) => ({ path: key.split("."), part: partAt(form.root, key.split(".")) }));
  return html`<div class="fields">
    ${found.map(({ path, part }) => part && html`<${Entry} key=${path.join(".")} path=${path} part=${part} form=${form} />`)}
  </div>`;
}

/**
 * @param {Schema} root
 * @param {string[]} path
 * @returns {Schema | undefined}
 */
function partAt(root, path) {
  return path.reduce((/** @type {any} */ found, key) => {
    const inner = found && resolved(found, root).properties?.[key];
    return inner && resolved(inner, root);
  }, root);
}

/** @param {{path: string[], part: Schema, form: Form}} props */
function Group({ path, part, form }) {
  const key = path.join(".");
  const wrong = form.faults?.some((each) => each.key === key || each.key.startsWith(`${key}.`));
  const given = Object.keys(at(form.value, path) ?? {}).length;
  return html`<details class="group" open=${wrong || key === "data" || given > 0}>
    <summary>
      <span>${named(form, path, part)}</span>
      ${wrong && html`<span class="tag wrong">${t("form.wrong")}</span>`}
      ${!wrong && given > 0 && html`<span class="muted">${t("form.given", { n: given })}</span>`}
    </summary>
    <${SchemaForm} schema=${part} path=${path} ...${form} />
  </details>`;
}

/** @param {{path: string[], part: Schema, form: Form}} props */
function Entry({ path, part, form }) {
  const key = path.join(".");
  const value = at(form.value, path);
  const fault = form.faults?.find((each) => each.key === key || each.key.startsWith(`${key}.`)) ?? null;
  const common = { label: named(form, path, part), hint: hinted(form, path, part), fault, "data-key": key };
  const set = (/** @type {any} */ next) => form.onChange(path, next);
  const type = kind(part);
  if (type === "boolean") return html`<${CheckField} ...${common} value=${value ?? part.default ?? false} onInput=${set} />`;
  if (type === "enum") {
    const options = part.enum.map((/** @type {any} */ each) => ({ value: String(each), label: String(each) }));
    const first = { value: "", label: byDefault(part) };
    const choose = (/** @type {string} */ text) => set(part.enum.find((/** @type {any} */ each) => String(each) === text));
    return html`<${SelectField} ...${common} value=${value === undefined ? "" : String(value)} options=${[first, ...options]} onInput=${choose} />`;
  }
  if ((type === "integer" || type === "number") && typeof value !== "string") {
    return html`<${NumberField} ...${common} whole=${type === "integer"} value=${value ?? null} placeholder=${byDefault(part)}
      min=${part.minimum} max=${part.maximum} onInput=${(/** @type {any} */ next) => set(next ?? undefined)} />`;
  }
  const text = value === undefined ? "" : typeof value === "object" ? listed(value) : String(value);
  return html`<${TextField} ...${common} value=${text} placeholder=${byDefault(part)} spellcheck="false"
    onInput=${(/** @type {string} */ next) => set(read(next, type, part))} />`;
}

/**
 * The schema behind references, and without `null` beside a type.
 * @param {Schema} part
 * @param {Schema} root
 * @returns {Schema}
 */
export function resolved(part, root) {
  if (part.$ref) {
    const target = part.$ref.split("/").slice(1).reduce((/** @type {any} */ found, /** @type {string} */ key) => found?.[key], root);
    const { $ref, ...beside } = part;
    return resolved({ ...target, ...beside }, root);
  }
  const options = (part.anyOf ?? part.oneOf ?? part.allOf)?.filter((/** @type {Schema} */ each) => each.type !== "null");
  if (!options) return part;
  const { anyOf, oneOf, allOf, ...beside } = part;
  const found = options.map((/** @type {Schema} */ each) => resolved(each, root));
  return found.length === 1 ? { ...found[0], ...beside } : { types: found, ...found[0], ...beside };
}

/**
 * The table among the types of a key that may be a value instead.
 * @param {Schema} part
 * @returns {Schema | undefined}
 */
const tableAmong = (part) => part.types?.find((/** @type {Schema} */ each) => each.properties);

/**
 * @param {any} table
 * @param {string[]} path
 */
export const at = (table, path) => path.reduce((found, key) => found?.[key], table);

/**
 * The table with another value at a path; tables that hold nothing any more are taken out.
 * @param {{[key: string]: any}} table
 * @param {string[]} path
 * @param {any} value
 * @returns {{[key: string]: any}}
 */
export function changed(table, [key, ...rest], value) {
  const next = rest.length ? changed(table?.[key] ?? {}, rest, value) : value;
  const copy = { ...table };
  const nothing = next === undefined || (rest.length > 0 && Object.keys(next).length === 0);
  if (nothing) delete copy[key];
  else copy[key] = next;
  return copy;
}

/** @param {Schema} part */
function kind(part) {
  if (part.enum) return "enum";
  if (part.types?.some((/** @type {Schema} */ each) => each.type === "string")) return "string";
  return part.type ?? "string";
}

/**
 * @param {Form} form
 * @param {string[]} path
 * @param {Schema} part
 */
function named(form, path, part) {
  const key = `${form.texts}.${path.join(".")}`;
  return has(key) ? t(key) : (part.title ?? path[path.length - 1]);
}

/**
 * @param {Form} form
 * @param {string[]} path
 * @param {Schema} part
 */
function hinted(form, path, part) {
  const key = `${form.texts}.${path.join(".")}.hint`;
  if (has(key)) return t(key);
  // Documentation marks names by backticks.
  const texts = (part.description ?? "").split("`");
  return texts[0] || texts.length > 1 ? texts.map((/** @type {string} */ each, /** @type {number} */ at) => (at % 2 ? html`<code>${each}</code>` : each)) : undefined;
}

/** @param {Schema} part */
function byDefault(part) {
  const value = part.default;
  if (value === undefined || value === null || value === "" || (typeof value === "object" && !Object.keys(value).length)) return t("form.automatic");
  return t("form.default", { value: typeof value === "object" ? listed(value) : String(value) });
}

/** A list or a table in a line, as `read` takes it. @param {any} value */
export const listed = (value) => (Array.isArray(value) ? value.join(", ") : Object.entries(value).map(([key, each]) => `${key} = ${each}`).join(", "));

/**
 * What a text means; nothing takes the key out.
 * @param {string} text
 * @param {string} type
 * @param {Schema} part
 */
export function read(text, type, part) {
  if (text === "") return undefined;
  if (type === "object") {
    const pairs = text.split(",").map((each) => /^\s*(.+?)\s*=\s*(.*?)\s*$/.exec(each));
    const numeric = part.additionalProperties?.type !== "string";
    const meant = (/** @type {string} */ each) => (numeric && each !== "" && Number.isFinite(Number(each)) ? Number(each) : each);
    return pairs.every(Boolean) ? Object.fromEntries(pairs.map((each) => [each?.[1], meant(each?.[2] ?? "")])) : text;
  }
  const either = part.types?.some((/** @type {Schema} */ each) => each.type === "array");
  if (type === "array" || (either && text.includes(","))) {
    const parts = text.split(",").map((each) => each.trim());
    const numeric = ["integer", "number"].includes(part.items?.type);
    return parts.filter((each) => each !== "").map((each) => (numeric && Number.isFinite(Number(each)) ? Number(each) : each));
  }
  if ((type === "integer" || type === "number") && Number.isFinite(Number(text))) return Number(text);
  return text;
}
