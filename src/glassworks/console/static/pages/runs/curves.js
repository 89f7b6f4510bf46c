/** The curves of a run: its loss, its metrics, its speed. */
import { Chart } from "../../components/chart.js";
import { Card } from "../../components/heading.js";
import { Empty } from "../../components/notices.js";
import { Said } from "../../components/said.js";
import { t } from "../../i18n.js";
import { isOpen } from "../../runs.js";
import { stageName } from "../../stages.js";
import { html } from "../../view.js";
import { valueName } from "./words.js";

/** @typedef {import("./history.js").Curve} Curve */

/** @param {{run: import("../../types").Run, history: import("./history.js").History}} props */
export function Curves({ run, history }) {
  const charts = [...history.curves].flatMap(([stage, curves]) => chartsOf(stage, curves));
  const done = history.stages.filter((each) => each.message);
  return html`${charts.length > 0
      ? html`<div class="chart-grid">
          ${charts.map((each) => html`<${Card} key=${each.key} title=${each.title}><${Chart} label=${each.title} xLabel=${t("runs.steps")} lines=${each.lines} /><//>`)}
        </div>`
      : html`<${Empty} icon="train" title=${t(isOpen(run) ? "runs.curves.soon" : "runs.curves.none")} />`}
    ${done.length > 0 &&
    html`<${Card} title=${t("runs.stages")}>
      <ul class="stages">${done.map((each) => html`<li key=${each.stage}><b>${stageName(each.stage)}</b> <span class="muted"><${Said} of=${each.message} /></span></li>`)}</ul>
    <//>`}`;
}

/**
 * Losses together, what lies between 0 and 1 together, each other value by itself.
 * @param {string} stage
 * @param {Map<string, Curve>} curves
 */
function chartsOf(stage, curves) {
  /** @type {Map<string, [string, Curve][]>} */
  const groups = new Map();
  for (const [name, curve] of curves) {
    if (curve.x.length < 2) continue;
    const share = curve.y.every((value) => value >= -1 && value <= 1);
    const group = name.endsWith("loss") ? "loss" : share ? "metrics" : name;
    groups.set(group, [...(groups.get(group) ?? []), [name, curve]]);
  }
  const rank = (/** @type {string} */ group) => ["loss", "metrics"].indexOf(group) >>> 0;
  return [...groups].sort(([a], [b]) => rank(a) - rank(b)).map(([group, members]) => ({
    key: `${stage}/${group}`,
    title: `${group === "metrics" ? t("runs.metrics") : valueName(group)} · ${stageName(stage)}`,
    lines: members.map(([name, { x, y }]) => ({ label: valueName(name), x, y })),
  }));
}
