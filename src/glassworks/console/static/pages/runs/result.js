/** What a run made: a version, how good it is, and what to do next. */
import { Accuracy } from "../../components/accuracy.js";
import { Button } from "../../components/button.js";
import { EachClass } from "../../components/classes.js";
import { Card, Figure, Figures } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { html } from "../../view.js";
import { valueName } from "./words.js";

/** @param {{run: import("../../types").Run}} props */
export function Result({ run }) {
  const { model, metrics, classes, warnings } = run.result;
  if (run.state !== "succeeded" || (!model && !metrics)) return null;
  const [name, version] = String(model ?? "").split("@");
  return html`<${Card} title=${model ? t("runs.made", { model }) : t("runs.measured")}
    actions=${model && html`<${Button} kind="primary" icon="try" href=${link("try", model, { from: "run" })}>${t("runs.try")}<//><${Button} href=${link("models", name, version)}>${t("runs.version")}<//>`}>
    <${Accuracy} metrics=${metrics} />
    <${Figures}>
      ${Object.entries(metrics ?? {}).map(([each, metric]) => html`<${Figure} key=${each} label=${valueName(each)} value=${number(metric.value, 4)} note=${noted(metric)} />`)}
    <//>
    <${EachClass} classes=${classes} />
    ${warnings?.map((/** @type {string} */ each) => html`<${ProblemNote} key=${each} kind="warning" problem=${each} mend=${t("runs.warned")} />`)}
  <//>`;
}

/** @param {import("../../types").Metric} metric */
function noted(metric) {
  const parts = [];
  if (metric.interval) parts.push(t("runs.interval", { low: number(metric.interval[0], 3), high: number(metric.interval[1], 3) }));
  if (metric.examples) parts.push(t("runs.examples", { n: metric.examples }));
  if (metric.classes) parts.push(t("classes.over", { n: metric.classes[0], total: metric.classes[1] }));
  return parts.join(" · ");
}
