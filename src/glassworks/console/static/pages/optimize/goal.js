/** Goal and limits of a search, in plain words. */
import { useAction } from "../../action.js";
import { post } from "../../api.js";
import { Button } from "../../components/button.js";
import { CheckField, SelectField, SliderField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { bytes, duration, milliseconds, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { may } from "../../session.js";
import { html } from "../../view.js";
import { choose, limitOf } from "./choice.js";
import { isMetric, measuredOf, quantitiesOf } from "./found.js";
import { nameOf } from "./words.js";

/** @typedef {import("./found.js").Found} Found */
/** @typedef {{on: boolean, at: number}} Limited */
/**
 * @typedef {object} Goal
 * @property {string} minimize
 * @property {string} metric What may fall by `loss`.
 * @property {Limited} loss In percent.
 * @property {Limited} size The logarithm of bytes.
 * @property {Limited} time The logarithm of milliseconds.
 * @property {string[]} kept Further limits of the model's job, as they are.
 * @property {number} budget
 */

const BUDGETS = [10, 20, 30, 60, 120, 300, 600];
/** What quality is measured by where nobody says it. */
const USUAL = ["accuracy", "micro_f1", "ndcg_at_10", "perplexity", "agreement"];

/**
 * The objective in the words of a job file.
 * @param {Goal} goal
 */
export function objectiveOf(goal) {
  const within = [...goal.kept];
  const writes = goal.metric === "perplexity";
  if (goal.loss.on && goal.metric) within.push(`${goal.metric}_${writes ? "rise" : "drop"} <= ${plain(goal.loss.at)}%`);
  if (goal.size.on) within.push(`size <= ${Math.round(10 ** goal.size.at / 1000)}kB`);
  if (goal.time.on) within.push(`${writes ? "first_token_p99" : "latency_p99"} <= ${plain(10 ** goal.time.at)}ms`);
  return { minimize: goal.minimize, within, budget: `${BUDGETS[goal.budget]}s` };
}

/** @param {number} value */
const plain = (value) => String(Number(value.toPrecision(3)));

/**
 * What a goal begins with: what the model's job says, and limits near what is known of it.
 * @param {Found} known
 * @param {any} version
 * @returns {Goal}
 */
export function firstGoal(known, version) {
  const writes = version.task === "text-generation";
  const job = version.job?.optimization ?? {};
  /** @type {string[]} */
  const within = job.within ?? known.within;
  const drop = within.map(limitOf).find((each) => each?.change);
  const measured = metricsOf(known, version);
  const now = known.candidates.find((each) => each.name === known.chosen);
  const time = now?.values[writes ? "first_token_p99" : "latency_p99@1"] ?? (writes ? 300 : 5);
  const kept = within.filter((each) => {
    const limit = limitOf(each);
    return limit && !limit.change && !/^(size$|latency_|first_token)/.test(limit.quantity);
  });
  return {
    minimize: job.minimize ?? (writes ? "size" : "latency_p99"),
    metric: drop?.quantity ?? (writes ? "perplexity" : (USUAL.find((each) => measured.includes(each)) ?? measured[0] ?? "")),
    loss: { on: !!drop || !kept.length, at: drop ? 100 * drop.limit : writes ? 1 : 0.5 },
    size: { on: false, at: Math.log10(now?.values.size ?? version.size_bytes ?? 1e6) },
    time: { on: false, at: Math.log10(time * 2) },
    kept,
    budget: 3,
  };
}

/**
 * What quality may be measured by.
 * @param {Found} known
 * @param {any} version
 */
function metricsOf(known, version) {
  const found = quantitiesOf(known).filter(isMetric);
  return found.length ? found : Object.keys(version.metrics ?? {});
}

/**
 * What may be minimized: of the numbers of rows that the job measures with.
 * @param {any} version
 */
function goalsOf(version) {
  if (version.task === "text-generation") return ["size", "time_per_token", "first_token_p99"];
  /** @type {number[]} */
  const batches = version.job?.optimization?.batch_sizes ?? [1, 32];
  return ["latency_p99", "latency_p50", ...batches.slice(1).map((each) => `latency_p99@${each}`), "size"];
}

/** @param {string} prefix @param {string} minimize */
function goalInWords(prefix, minimize) {
  const [name, batch] = minimize.split("@");
  return batch ? t(`${prefix}.batch`, { batch }) : t(`${prefix}.${name}`);
}

/** @param {{model: string, known: Found, version: any, goal: Goal, onGoal: (goal: Goal) => void, onStarted: (run: string) => void}} props */
export function GoalForm({ model, known, version, goal, onGoal, onStarted }) {
  const writes = goal.metric === "perplexity";
  const metrics = metricsOf(known, version);
  const objective = objectiveOf(goal);
  const start = useAction(async () => {
    /** @type {import("../../types").Run} */
    const run = await post("/runs", { kind: "optimize", request: { model, objective } }, { idempotent: true });
    onStarted(run.id);
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    start.go();
  };
  const goals = [...new Set([...goalsOf(version), goal.minimize])];
  const limit = (/** @type {"loss" | "size" | "time"} */ name) => ({ value: goal[name], onInput: (/** @type {Limited} */ value) => onGoal({ ...goal, [name]: value }) });
  return html`<${Card} title=${t("optimize.goal")}>
    <form onSubmit=${submit}>
      <${SelectField} label=${t("optimize.minimize")} value=${goal.minimize} onInput=${(/** @type {string} */ minimize) => onGoal({ ...goal, minimize })}
        options=${goals.map((value) => ({ value, label: goalInWords("optimize.goal", value) }))} />
      <fieldset><legend>${t("optimize.limits")}</legend>
        ${version.job?.optimization?.within?.filter((/** @type {string} */ each) => !limitOf(each)?.change && !/^(size|latency|first)/.test(each)).map((/** @type {string} */ each) => html`<${CheckField} key=${each} label=${t("optimize.limit.kept", { limit: each })} value=${goal.kept.includes(each)}
          onInput=${(/** @type {boolean} */ on) => onGoal({ ...goal, kept: on ? [...goal.kept, each] : goal.kept.filter((one) => one !== each) })} />`)}
        ${!writes && goal.loss.on && metrics.length > 1 && html`<${SelectField} label=${t("optimize.metric")} value=${goal.metric} onInput=${(/** @type {string} */ metric) => onGoal({ ...goal, metric })} options=${metrics.map((value) => ({ value, label: nameOf(value) }))} />`}
        ${goal.metric && html`<${LimitField} ...${limit("loss")} label=${t(writes ? "optimize.limit.perplexity" : "optimize.limit.loss", { metric: nameOf(goal.metric) })}
          min=${0} max=${writes ? 20 : 5} step=${0.1} show=${(/** @type {number} */ value) => percent(value / 100, 1)} />`}
        <${LimitField} ...${limit("size")} label=${t("optimize.limit.size")} min=${3.5} max=${writes ? 10 : 9} step=${0.05} show=${(/** @type {number} */ value) => bytes(Math.round(10 ** value / 1000) * 1000)} />
        <${LimitField} ...${limit("time")} label=${t(writes ? "optimize.limit.first" : "optimize.limit.time")} min=${-1} max=${4} step=${0.05} show=${(/** @type {number} */ value) => milliseconds(Number(plain(10 ** value)))} />
      </fieldset>
      <${SliderField} label=${t("optimize.budget")} hint=${t("optimize.budget.hint")} value=${goal.budget} min=${0} max=${BUDGETS.length - 1} show=${(/** @type {number} */ value) => duration(BUDGETS[value])} onInput=${(/** @type {number} */ budget) => onGoal({ ...goal, budget })} />
      <p class="sentence-of-goal">${sentence(goal)}</p>
      ${measuredOf(known).length > 0 && html`<p class="muted">${expected(known, objective)}</p>`}
      <p class="muted"><code>${`minimize = "${objective.minimize}", within = ${JSON.stringify(objective.within)}`}</code></p>
      ${may("operator")
        ? html`<div class="actions"><${Button} kind="primary" type="submit" icon="optimize" busy=${start.busy}>${t("optimize.start")}<//></div>`
        : html`<${ProblemNote} kind="warning" problem=${t("optimize.viewer")} mend=${t("optimize.viewer.mend")} />`}
      ${start.error && html`<${ProblemNote} error=${start.error} />`}
    </form>
  <//>`;
}

/** @param {{label: string, value: Limited, min: number, max: number, step: number, show: (value: number) => any, onInput: (value: Limited) => void}} props */
function LimitField({ label, value, onInput, ...range }) {
  return html`<div class="limit">
    <${CheckField} label=${label} value=${value.on} onInput=${(/** @type {boolean} */ on) => onInput({ ...value, on })} />
    ${value.on && html`<${SliderField} label=${html`<span class="unseen">${label}</span>`} value=${Math.max(range.min, Math.min(range.max, value.at))} ...${range} onInput=${(/** @type {number} */ at) => onInput({ ...value, at })} />`}
  </div>`;
}

/**
 * What it would choose of what is known already.
 * @param {Found} known
 * @param {{minimize: string, within: string[]}} objective
 */
function expected(known, { minimize, within }) {
  const found = choose(known.candidates, { minimize: /^latency_p\d+$/.test(minimize) ? `${minimize}@1` : minimize, within });
  return found ? t("optimize.expected", { name: found.chosen.name }) : t("optimize.expected.none");
}

/**
 * The goal as a sentence.
 * @param {Goal} goal
 */
function sentence(goal) {
  const writes = goal.metric === "perplexity";
  const parts = goal.kept.map((limit) => t("optimize.say.kept", { limit }));
  if (goal.loss.on && goal.metric) parts.push(t(writes ? "optimize.say.perplexity" : "optimize.say.loss", { metric: nameOf(goal.metric), most: percent(goal.loss.at / 100, 1) }));
  if (goal.size.on) parts.push(t("optimize.say.small", { most: bytes(Math.round(10 ** goal.size.at / 1000) * 1000) }));
  if (goal.time.on) parts.push(t(writes ? "optimize.say.first" : "optimize.say.time", { most: milliseconds(Number(plain(10 ** goal.time.at))) }));
  return t(parts.length ? "optimize.say" : "optimize.say.free", { goal: goalInWords("optimize.say", goal.minimize), limits: parts.join(t("optimize.say.and")) });
}
