/** The candidates of a search, as they are measured; once it is over, all that was measured of each. */
import { Bars } from "../../components/bars.js";
import { Card } from "../../components/heading.js";
import { Empty, Skeleton } from "../../components/notices.js";
import { bytes, milliseconds, number } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { isOpen } from "../../runs.js";
import { html } from "../../view.js";
import { valueName } from "./words.js";

/** Kinds of runs that measure candidates, which are in the report of the version that they publish. */
const SEARCHING = ["release", "optimize", "import", "fine_tuning"];

/** @param {{run: import("../../types").Run, history: import("./history.js").History}} props */
export function Candidates({ run, history }) {
  const [name, version] = String(run.result.model ?? "").split("@");
  const published = SEARCHING.includes(run.kind) && version && !run.result.report;
  /** @type {import("../../resource.js").Resource<any>} */
  const made = useResource(published ? `/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}` : null);
  const report = run.result.report ?? made.value?.report;
  if (report?.candidates?.length) return html`<${Measured} report=${report} />`;
  if (made.loading && published && !made.value) return html`<${Skeleton} lines=${3} />`;
  if (!history.candidates.size) return html`<${Empty} icon="optimize" title=${t(isOpen(run) ? "runs.candidates.soon" : "runs.candidates.none")} />`;
  return html`<${SoFar} found=${[...history.candidates.values()]} />`;
}

/** @param {{found: import("./history.js").Candidate[]}} props */
function SoFar({ found }) {
  const names = [...new Set(found.flatMap((each) => Object.keys(each.values).filter((name) => typeof each.values[name] === "number")))];
  return html`${names.map(
    (name) => html`<${Card} key=${name} title=${valueName(name)}>
      <${Bars} label=${valueName(name)} format=${(/** @type {number} */ value) => number(value, 4)}
        rows=${found.filter((each) => typeof each.values[name] === "number").map((each) => ({ label: each.name, value: each.values[name] }))} />
    <//>`,
  )}`;
}

/** @param {{report: any}} props */
function Measured({ report }) {
  const batches = Object.keys(report.candidates[0].latency_p99_ms ?? {});
  const chosen = report.chosen;
  const metric = Object.keys(report.candidates[0].metrics ?? {})[0];
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("runs.tab.candidates")}>
    <table>
      <thead>
        <tr>
          <th scope="col">${t("runs.candidate")}</th>
          <th scope="col">${t("runs.precision")}</th>
          ${metric && html`<th scope="col" class="number">${valueName(metric)}</th>`}
          ${batches.map((each) => html`<th key=${each} scope="col" class="number">${t("runs.p99", { batch: each })}</th>`)}
          <th scope="col" class="number">${t("runs.size")}</th>
        </tr>
      </thead>
      <tbody>
        ${report.candidates.map(
          (/** @type {any} */ each) => html`<tr key=${each.name} class=${each.name === chosen ? "marked" : ""}>
            <td>${each.name}${each.excluded && html` <span class="muted" title=${each.excluded}>${t("runs.unchosen", { reason: each.excluded })}</span>`}</td>
            <td>${each.precision}</td>
            ${metric && html`<td class="number">${number(each.metrics?.[metric]?.value, 4)}</td>`}
            ${batches.map((batch) => html`<td key=${batch} class="number">${milliseconds(each.latency_p99_ms?.[batch])}</td>`)}
            <td class="number">${bytes(each.size_bytes)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
