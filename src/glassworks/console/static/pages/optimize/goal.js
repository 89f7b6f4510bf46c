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
import { html, useState } from "../../view.js";
import { choose } from "./choice.js";
import { isMetric, metricOf, quantitiesOf } from "./found.js";
import { nameOf } from "./words.js";

/** @typedef {import("./found.js").Found} Found */
/** @typedef {{on: boolean, at: number}} Limited */
/** @typedef {{minimize: string, loss: Limited, size: Limited, time: Limited, budget: number}} Goal */

const BUDGETS = [10, 20, 30, 60, 120, 300, 600];

/**
 * The objective in the words of a job file.
 * @param {Goal} goal
 * @param {{metric: string, writes: boolean}} about
 */
export function objectiveOf(goal, { metric, writes }) {
  const within = [];
  if (goal.loss.on) within.push(writes ? `perplexity_rise <= ${plain(goal.loss.at)}%` : `${metric}_drop <= ${plain(goal.loss.at)}%`);
  if (goal.size.on) within.push(`size <= ${Math.round(10 ** goal.size.at / 1000)}kB`);
  if (goal.time.on) within.push(`${writes ? "first_token_p99" : "latency_p99"} <= ${plain(10 ** goal.time.at)}ms`);
  return { minimize: goal.minimize, within, budget: `${BUDGETS[goal.budget]}s` };
}

/** @param {number} value */
const plain = (value) => String(Number(value.toPrecision(3)));

/**
 * What a goal begins with: limits at what is known of the model.
 * @param {Found} known
 * @param {boolean} writes
 * @returns {Goal}
 */
export function firstGoal(known, writes) {
  const now = known.candidates.find((each) => each.name === known.chosen);
  const time = now?.values[writes ? "first_token_p99" : "latency_p99@1"] ?? (writes ? 300 : 5);
  return {
    minimize: writes ? "size" : "latency_p99",
    loss: { on: true, at: writes ? 1 : 0.5 },
    size: { on: false, at: Math.log10(now?.values.size ?? 1e6) },
    time: { on: false, at: Math.log10(time * 2) },
    budget: 3,
  };
}

/** @param {{model: string, known: Found, writes: boolean, goal: Goal, onGoal: (goal: Goal) => void, onStarted: (run: string) => void}} props */
export function GoalForm({ model, known, writes, goal, onGoal, onStarted }) {
  const metrics = quantitiesOf(known).filter(isMetric);
  const [metric, setMetric] = useState("");
  const about = { metric: metric || metricOf(known) || "accuracy", writes };
  const objective = objectiveOf(goal, about);
  const start = useAction(async () => {
    /** @type {import("../../types").Run} */
    const run = await post("/runs", { kind: "optimize", request: { model, objective } }, { idempotent: true });
    onStarted(run.id);
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    start.go();
  };
  const goals = writes ? ["size", "time_per_token", "first_token_p99"] : ["latency_p99", "latency_p50", "latency_p99@32", "size"];
  const limit = (/** @type {"loss" | "size" | "time"} */ name) => ({ value: goal[name], onInput: (/** @type {Limited} */ value) => onGoal({ ...goal, [name]: value }) });
  return html`<${Card} title=${t("optimize.goal")}>
    <form onSubmit=${submit}>
      <${SelectField} label=${t("optimize.minimize")} value=${goal.minimize} onInput=${(/** @type {string} */ minimize) => onGoal({ ...goal, minimize })}
        options=${goals.map((value) => ({ value, label: t(`optimize.goal.${value}`) }))} />
      <fieldset><legend>${t("optimize.limits")}</legend>
        ${!writes && goal.loss.on && metrics.length > 1 && html`<${SelectField} label=${t("optimize.metric")} value=${about.metric} onInput=${setMetric} options=${metrics.map((value) => ({ value, label: nameOf(value) }))} />`}
        <${LimitField} ...${limit("loss")} label=${t(writes ? "optimize.limit.perplexity" : "optimize.limit.loss", { metric: nameOf(about.metric) })}
          min=${0} max=${writes ? 20 : 5} step=${0.1} show=${(/** @type {number} */ value) => percent(value / 100, 1)} />
        <${LimitField} ...${limit("size")} label=${t("optimize.limit.size")} min=${3.5} max=${writes ? 10 : 9} step=${0.05} show=${(/** @type {number} */ value) => bytes(Math.round(10 ** value / 1000) * 1000)} />
        <${LimitField} ...${limit("time")} label=${t(writes ? "optimize.limit.first" : "optimize.limit.time")} min=${-1} max=${4} step=${0.05} show=${(/** @type {number} */ value) => milliseconds(Number(plain(10 ** value)))} />
      </fieldset>
      <${SliderField} label=${t("optimize.budget")} hint=${t("optimize.budget.hint")} value=${goal.budget} min=${0} max=${BUDGETS.length - 1} show=${(/** @type {number} */ value) => duration(BUDGETS[value])} onInput=${(/** @type {number} */ budget) => onGoal({ ...goal, budget })} />
      <p class="sentence-of-goal">${sentence(goal, about)}</p>
      ${known.candidates.length > 0 && html`<p class="muted">${expected(known, objective)}</p>`}
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
 * @param {{metric: string, writes: boolean}} about
 */
function sentence(goal, { metric, writes }) {
  const parts = [];
  if (goal.loss.on) parts.push(t(writes ? "optimize.say.perplexity" : "optimize.say.loss", { metric: nameOf(metric), most: percent(goal.loss.at / 100, 1) }));
  if (goal.size.on) parts.push(t("optimize.say.small", { most: bytes(Math.round(10 ** goal.size.at / 1000) * 1000) }));
  if (goal.time.on) parts.push(t(writes ? "optimize.say.first" : "optimize.say.time", { most: milliseconds(Number(plain(10 ** goal.time.at))) }));
  return t(parts.length ? "optimize.say" : "optimize.say.free", { goal: t(`optimize.say.${goal.minimize}`), limits: parts.join(t("optimize.say.and")) });
}
