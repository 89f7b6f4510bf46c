/** Columns of days, each a stack of what its groups used. */
import { number } from "../../format.js";
import { language, t } from "../../i18n.js";
import { html } from "../../view.js";

/** @typedef {import("../../types").Used} Used */
/** @typedef {{name: string, color: string, values: number[]}} Group */

const COLORS = 6;
const MOST_DAYS = 400;

/**
 * The days from one to another, at most the last 400.
 * @param {string} from
 * @param {string} to
 */
export function daysBetween(from, to) {
  const count = Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
  if (!(count > 0)) return [];
  const days = Math.min(MOST_DAYS, count);
  return Array.from({ length: days }, (_, at) => new Date(Date.parse(to) - (days - 1 - at) * 86_400_000).toISOString().slice(0, 10));
}

/**
 * The groups with the most first; those beyond the colors are one.
 * @param {Used[]} items
 * @param {"key" | "model"} by
 * @param {string} count
 * @param {string[]} days
 * @returns {Group[]}
 */
export function stackedBy(items, by, count, days) {
  const at = new Map(days.map((day, index) => [day, index]));
  /** @type {Map<string, number[]>} */
  const found = new Map();
  for (const each of items) {
    const day = at.get(each.day ?? "");
    if (day === undefined) continue;
    const name = nameOf(each, by);
    if (!found.has(name)) found.set(name, days.map(() => 0));
    /** @type {number[]} */ (found.get(name))[day] += each[/** @type {"rows"} */ (count)] ?? 0;
  }
  const sorted = [...found].sort(([, one], [, other]) => sum(other) - sum(one));
  const few = sorted.length > COLORS ? sorted.slice(0, COLORS - 1) : sorted;
  const rest = sorted.slice(few.length);
  const groups = rest.length ? [...few, /** @type {[string, number[]]} */ ([t("keys.others", { n: rest.length }), days.map((_, day) => sum(rest.map(([, values]) => values[day])))])] : few;
  return groups.map(([name, values], index) => ({ name, values, color: `var(--series-${index + 1})` }));
}

/**
 * @param {Used} used
 * @param {"key" | "model"} by
 */
export function nameOf(used, by) {
  if (by === "model") return used.model || "–";
  return used.key_id === "anonymous" ? t("keys.anonymous") : (used.name ?? used.key_id ?? "–");
}

/** @param {{days: string[], groups: Group[], label: string}} props */
export function Stacked({ days, groups, label }) {
  const totals = days.map((_, day) => sum(groups.map((each) => each.values[day])));
  const top = rounded(Math.max(...totals, 1));
  const shown = new Intl.DateTimeFormat(language.value, { month: "short", day: "numeric", timeZone: "UTC" });
  const every = Math.ceil(days.length / 8);
  return html`<figure class="stacked">
    <div class="stacked-plot" role="img" aria-label=${label}>
      <span class="stacked-top number muted">${number(top)}</span>
      ${days.map(
        (day, at) => html`<div class="stacked-day" key=${day} title=${[shown.format(new Date(day)), ...groups.filter((each) => each.values[at]).map((each) => `${each.name}: ${number(each.values[at])}`)].join("\n")}>
          ${groups.map((each) => each.values[at] > 0 && html`<i key=${each.name} style=${{ height: `${(100 * each.values[at]) / top}%`, background: each.color }}></i>`)}
          ${at % every === 0 && html`<span class=${at % (2 * every) ? "muted minor" : "muted"}>${shown.format(new Date(day))}</span>`}
        </div>`,
      )}
    </div>
    <figcaption><ul class="legend">${groups.map((each) => html`<li key=${each.name}><span class="swatch" style=${{ background: each.color }}></span>${each.name} <span class="muted number">${number(sum(each.values))}</span></li>`)}</ul></figcaption>
  </figure>`;
}

/** @param {number[]} values */
const sum = (values) => values.reduce((all, each) => all + each, 0);

/** The next number of one digit, or 1.5 or 2.5 of it. @param {number} value */
function rounded(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8].find((each) => each * unit >= value) ?? 10) * unit;
}
