/** Candidates of a search, from its report or from the events of a search that goes on. */

/**
 * @typedef {object} Candidate
 * @property {string} name
 * @property {string} engine
 * @property {string} precision
 * @property {string} excluded Why it was not measured; else empty.
 * @property {{[quantity: string]: number}} values `size`, `latency_p99@1`, `tokens_per_second`, and the metrics.
 */
/**
 * @typedef {object} Found
 * @property {Candidate[]} candidates
 * @property {string} reference What the others are compared with.
 * @property {string} chosen
 * @property {string} minimize
 * @property {string[]} within
 * @property {string[]} notes
 * @property {number | null} examples
 */

const NAMES = new Set(["stage", "step", "candidate", "engine", "precision", "size_bytes"]);
const LOWER = /loss|perplexity|error|difference|latency|first_token|time_per|size/;

/** @param {string} quantity */
export const isHigherBetter = (quantity) => !LOWER.test(quantity);

/** @param {string} quantity */
export const isMetric = (quantity) => !/^(size$|latency_|first_token|tokens_per|time_per)/.test(quantity);

/**
 * @param {any} report
 * @returns {Found}
 */
export function ofReport(report) {
  const candidates = report.candidates.map((/** @type {any} */ each) => {
    /** @type {{[quantity: string]: number}} */
    const values = {};
    if (!each.excluded) values.size = each.size_bytes;
    for (const [name, metric] of Object.entries(each.metrics)) values[name] = /** @type {any} */ (metric).value;
    for (const quantity of ["latency_p50", "latency_p99"]) {
      for (const [batch, ms] of Object.entries(each[`${quantity}_ms`])) values[`${quantity}@${batch}`] = /** @type {number} */ (ms);
    }
    return { name: each.name, engine: each.engine, precision: each.precision, excluded: each.excluded, values: { ...values, ...timed(each.speeds) } };
  });
  const { chosen, reference, minimize, within, notes, examples } = report;
  return { candidates, chosen, reference, minimize, within, notes, examples };
}

/**
 * Nothing measured yet.
 * @param {any} objective
 * @returns {Found}
 */
export const nothing = (objective = {}) => ({
  candidates: [], reference: "", chosen: "", minimize: objective.minimize ?? "", within: objective.within ?? [], notes: [], examples: null,
});

/**
 * What is known after an event of the run.
 * @param {Found} found
 * @param {import("../../types").RunEvent} event
 * @returns {Found}
 */
export function afterEvent(found, { kind, data }) {
  if (kind !== "values" || typeof data.candidate !== "string") return found;
  /** @type {{[quantity: string]: number}} */
  const values = {};
  for (const [name, value] of Object.entries(data)) if (!NAMES.has(name) && typeof value === "number") values[name] = value;
  if (typeof data.size_bytes === "number") values.size = data.size_bytes;
  const before = found.candidates.find((each) => each.name === data.candidate);
  const now = {
    name: data.candidate, engine: data.engine ?? before?.engine ?? "", precision: data.precision ?? before?.precision ?? "", excluded: "",
    values: { ...before?.values, ...timed(values) },
  };
  const candidates = before ? found.candidates.map((each) => (each === before ? now : each)) : [...found.candidates, now];
  const reference = found.reference || (now.precision === "fp32" ? now.name : "");
  return { ...found, candidates, reference };
}

/**
 * With the time for a token, which is what is minimized.
 * @param {{[quantity: string]: number}} values
 */
function timed(values) {
  return values.tokens_per_second ? { ...values, time_per_token: 1000 / values.tokens_per_second } : values;
}

/** @param {Found} found Those that were measured, not those that could not be. */
export const measuredOf = (found) => found.candidates.filter((each) => !each.excluded && Object.keys(each.values).length > 0);

/** @param {Found} found Quantities of any candidate, the metrics last. */
export function quantitiesOf(found) {
  const all = [...new Set(found.candidates.flatMap((each) => Object.keys(each.values)))];
  return [...all.filter((each) => !isMetric(each)), ...all.filter(isMetric)];
}

/** @param {Found} found What must not get worse, as the limits name it, else the first metric. */
export function metricOf(found) {
  const measured = quantitiesOf(found).filter(isMetric);
  const named = found.within.map((each) => /^\s*([a-z_0-9]+?)(_drop|_rise)?(@\d+)?\s*[<>]/.exec(each)?.[1] ?? "");
  return named.find((each) => measured.includes(each)) ?? measured[0] ?? "";
}
