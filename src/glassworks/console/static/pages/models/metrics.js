/** Metrics as people read them: with their interval, how many examples they come from, and what a simple answer reaches. */
import { Bars } from "../../components/bars.js";
import { Icon } from "../../components/icon.js";
import { number } from "../../format.js";
import { has, t } from "../../i18n.js";
import { spoken } from "../../service_texts.js";
import { html } from "../../view.js";

/** @typedef {import("../../types").Metrics} Metrics */
/** @typedef {import("../../types").Metric} Metric */

const FIRST = ["accuracy", "micro_f1", "ndcg_at_10", "exact_match", "agreement", "perplexity"];

/**
 * The metric that one looks at first.
 * @param {Metrics} metrics
 */
export function mainOf(metrics) {
  return FIRST.find((each) => metrics[each]) ?? Object.keys(metrics)[0];
}

/**
 * What a metric, a task or a kind is called, where the catalog has a word for it.
 * @param {string} of
 * @param {string} id
 */
export function named(of, id) {
  const key = `models.${of}.${id}`;
  return has(key) ? t(key) : id.replaceAll("_", " ");
}

/** @param {number | null | undefined} value */
export const plain = (value) => number(value, value !== null && value !== undefined && Math.abs(value) < 10 ? 3 : 1);

/** @param {Metric} metric */
export const between = (metric) => (metric.interval ? `[${plain(metric.interval[0])}, ${plain(metric.interval[1])}]` : "");

/** Where some classes have no example: over how many the metric is. @param {Metric} metric */
export const over = (metric) => (metric.classes ? ` · ${t("classes.over", { n: metric.classes[0], total: metric.classes[1] })}` : "");

/** @param {{metrics: Metrics}} props */
export function MainMetric({ metrics }) {
  const name = mainOf(metrics);
  if (!name) return html`<span class="muted">–</span>`;
  const metric = metrics[name];
  const title = t("models.metric.full", { name: named("metric", name), interval: between(metric), n: metric.examples ?? 0 });
  return html`<span title=${title}><b>${plain(metric.value)}</b> <span class="muted wide-only">${between(metric)}${over(metric)}</span></span>`;
}

/** A sign where there is something to know. @param {{warnings?: string[], problem?: string}} props */
export function Warned({ warnings = [], problem }) {
  const all = (problem ? [problem, ...warnings] : warnings).map(spoken);
  return all.length > 0 && html`<span class="warned" title=${all.join("\n")}><${Icon} name="warning" label=${all.join("; ")} /></span>`;
}

/** Each metric with the same of simpler answers. @param {{metrics: Metrics, baseline: Metrics, comparison: {[name: string]: Metrics}}} props */
export function MetricBars({ metrics, baseline, comparison }) {
  const names = [mainOf(metrics), ...Object.keys(metrics).filter((each) => each !== mainOf(metrics))].filter(Boolean);
  if (!names.length) return html`<p class="muted">${t("models.unmeasured")}</p>`;
  return html`<div class="metric-bars">
    ${names.map((name) => {
      const found = [
        { label: html`<b>${t("models.this")}</b>`, metric: metrics[name] },
        ...(baseline[name] ? [{ label: t("models.baseline"), metric: baseline[name] }] : []),
        ...Object.entries(comparison ?? {}).filter(([, each]) => each[name]).map(([label, each]) => ({ label: named("other", label), metric: each[name] })),
      ];
      const rows = found.map(({ label, metric }) => ({ label, value: metric.value, interval: metric.interval, note: between(metric) }));
      const most = Math.max(...found.map(({ metric }) => Math.max(metric.value, metric.interval?.[1] ?? 0)));
      return html`<section key=${name}>
        <h3>${named("metric", name)} <span class="muted">${t(metrics[name].higher_is_better === false ? "models.lower" : "models.higher")} · ${t("models.n", { n: metrics[name].examples ?? 0 })}${over(metrics[name])}</span></h3>
        <${Bars} rows=${rows} label=${named("metric", name)} format=${plain} most=${most <= 1 && metrics[name].higher_is_better !== false ? 1 : undefined} />
      </section>`;
    })}
  </div>`;
}
