/** Which candidate an objective chooses, as the search itself does it, and which objective chooses a candidate. */
import { isHigherBetter, isMetric, quantitiesOf } from "./found.js";

/** @typedef {import("./found.js").Candidate} Candidate */
/** @typedef {import("./found.js").Found} Found */
/** @typedef {{text: string, quantity: string, change: string, relation: string, limit: number}} Limit */
/** @typedef {{minimize: string, within: string[]}} Objective */

const PATTERN = /^\s*([a-z_0-9]+?)(_drop|_rise)?(?:@(\d+))?\s*(<=|>=)\s*([0-9.]+)\s*(%|ms|us|s|kB|KB|MB|GB)?\s*$/;
/** @type {{[unit: string]: number}} */
const UNITS = { "%": 0.01, us: 1e-3, ms: 1, s: 1e3, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 };
const PRECISIONS = ["fp32", "bf16", "int8", "int4"];
/** Smaller differences are noise to the search: of two such it keeps the more precise one. */
const TIE = 0.03;
/** Who is so many times as good is chosen again when all are measured again. */
const ENOUGH = 2;

/**
 * @param {string} text
 * @returns {Limit | null}
 */
export function limitOf(text) {
  const match = PATTERN.exec(text);
  if (!match) return null;
  const [, name, change = "", batch, relation, figure, unit] = match;
  const quantity = /^latency_p(50|99)$/.test(name) ? `${name}@${batch ?? 1}` : name;
  return { text, quantity, change, relation, limit: Number(figure) * (unit ? UNITS[unit] : 1) };
}

/**
 * The limit in the unit of the quantity itself: of a drop, from what the reference has.
 * @param {Limit} limit
 * @param {Candidate | undefined} reference
 * @returns {{quantity: string, most?: number, least?: number} | null}
 */
export function boundOf(limit, reference) {
  if (!limit.change) return { quantity: limit.quantity, [limit.relation === "<=" ? "most" : "least"]: limit.limit };
  const before = reference?.values[limit.quantity];
  if (before === undefined) return null;
  if (limit.change === "_rise") return { quantity: limit.quantity, most: before * (1 + limit.limit) };
  return isHigherBetter(limit.quantity) ? { quantity: limit.quantity, least: before - limit.limit } : { quantity: limit.quantity, most: before + limit.limit };
}

/**
 * Limits that a candidate breaks.
 * @param {Candidate} candidate
 * @param {string[]} within
 * @param {Candidate | undefined} reference
 */
export function broken(candidate, within, reference) {
  return within.filter((text) => {
    const limit = limitOf(text);
    const bound = limit && boundOf(limit, reference);
    const value = bound && candidate.values[bound.quantity];
    if (!bound || value === undefined || value === null) return false;
    return value > (bound.most ?? Infinity) + 1e-9 || value < (bound.least ?? -Infinity) - 1e-9;
  });
}

/**
 * @param {Candidate[]} candidates
 * @param {Objective} objective
 * @returns {{chosen: Candidate, margin: number} | null} `margin`: how many times as much the next one has.
 */
export function choose(candidates, { minimize, within }) {
  const measured = candidates.filter((each) => !each.excluded && each.values[minimize] !== undefined);
  const value = (/** @type {Candidate} */ each) => each.values[minimize];
  const [reference] = measured.filter((each) => each.precision === "fp32").sort((a, b) => value(a) - value(b));
  const feasible = measured.filter((each) => !broken(each, within, reference).length);
  if (!feasible.length) return null;
  const best = Math.min(...feasible.map(value));
  const rank = (/** @type {Candidate} */ each) => PRECISIONS.indexOf(each.precision);
  const close = feasible.filter((each) => value(each) <= best * (1 + TIE)).sort((a, b) => rank(a) - rank(b) || value(a) - value(b));
  const next = Math.min(...feasible.filter((each) => each !== close[0]).map(value), Infinity);
  return { chosen: close[0], margin: minimize === "size" && next > value(close[0]) ? Infinity : next / value(close[0]) };
}

/**
 * The objective that chooses a candidate most surely when all are measured again; null where none does.
 * @param {Found} found
 * @param {Candidate} candidate
 * @returns {(Objective & {margin: number}) | null}
 */
export function objectiveFor(found, candidate) {
  const minimized = quantitiesOf(found).filter((each) => /^(size$|latency_|time_per|first_token)/.test(each));
  const exact = Object.entries(candidate.values).filter(([name]) => name === "size" || isMetric(name));
  const limits = exact.map(([name, value]) => (isMetric(name) && isHigherBetter(name) ? `${name} >= ${rounded(value, -1)}` : `${name} <= ${rounded(value, 1)}`));
  const size = limits.filter((each) => each.startsWith("size "));
  const first = limits.find((each) => !each.startsWith("size "));
  const tried = [first ? [first] : [], [...(first ? [first] : []), ...size], limits];
  const plans = minimized.flatMap((minimize) =>
    tried.map((within) => ({ minimize, within, made: choose(found.candidates, { minimize, within }) })),
  );
  const good = plans.filter((each) => each.made?.chosen === candidate).map(({ minimize, within, made }) => ({ minimize, within, margin: made?.margin ?? 1 }));
  good.sort((a, b) => Math.min(b.margin, ENOUGH) - Math.min(a.margin, ENOUGH) || a.within.length - b.within.length);
  return good[0] ?? null;
}

/**
 * A candidate that is at least as good in all that was measured.
 * @param {Found} found
 * @param {Candidate} candidate
 */
export function betterThan(found, candidate) {
  const compared = quantitiesOf(found).filter((each) => !/p99|log_loss|macro|balanced/.test(each));
  return found.candidates.find((each) => {
    if (each === candidate || each.excluded) return false;
    return compared.every((quantity) => {
      const [other, own] = [each.values[quantity], candidate.values[quantity]];
      if (other === undefined || own === undefined) return true;
      return isHigherBetter(quantity) ? other >= own : other <= own * (1 + TIE);
    });
  });
}

/**
 * So that the candidate itself keeps the limit.
 * @param {number} value
 * @param {1 | -1} way
 */
function rounded(value, way) {
  if (Number.isInteger(value)) return String(value);
  const scaled = value * 1e6;
  return ((way > 0 ? Math.ceil(scaled) : Math.floor(scaled)) / 1e6).toFixed(6);
}
