/** What compression changed: the model as it was trained beside what is served, and every candidate that was measured. */
import { Bars } from "../../components/bars.js";
import { Card, Figure, Figures } from "../../components/heading.js";
import { Said } from "../../components/said.js";
import { bytes, milliseconds, number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";
import { between, mainOf, named, plain } from "./metrics.js";

/** @typedef {import("../../types").VersionDetail} VersionDetail */
/** @typedef {import("../../types").Candidate} Candidate */

const OTHER = ["faithfulness_z", "completeness_gap"];

/** @param {{of: VersionDetail}} props */
export function Compression({ of }) {
  const { report } = of;
  const chosen = report?.candidates.find((each) => each.name === report.chosen);
  const before = report?.candidates.find((each) => each.name === report.reference);
  const same = chosen && chosen === before;
  return html`${chosen && before && !same ? html`<${Changed} chosen=${chosen} before=${before} />` : html`<${Card}><p>${t(same ? "models.same" : "models.uncompressed")}</p><//>`}
    ${Object.keys(of.fidelity).length > 0 && html`<${Fidelity} fidelity=${of.fidelity} />`}
    ${report && html`<${Candidates} report=${report} />`}`;
}

/** @param {{chosen: Candidate, before: Candidate}} props */
function Changed({ chosen, before }) {
  const metric = mainOf(chosen.metrics);
  const [now, was] = [latencyOf(chosen), latencyOf(before)];
  const faster = now && was ? was / now : null;
  return html`<${Card} title=${t("models.changed")} lead=${t("models.changed.lead", { chosen: chosen.name, before: before.name })}>
    <${Figures}>
      <${Figure} label=${t("models.size")} value=${bytes(chosen.size_bytes)} note=${t("models.was", { value: bytes(before.size_bytes), change: signed(chosen.size_bytes / before.size_bytes - 1) })} />
      ${now !== null && html`<${Figure} label=${t("models.latency")} value=${milliseconds(now)} note=${was !== null && t("models.was.times", { value: milliseconds(was), times: number(faster, 1) })} />`}
      ${chosen.speeds?.tokens_per_second && html`<${Figure} label=${t("models.speed")} value=${number(chosen.speeds.tokens_per_second, 1)} note=${before.speeds?.tokens_per_second && t("models.was", { value: number(before.speeds.tokens_per_second, 1), change: signed(chosen.speeds.tokens_per_second / before.speeds.tokens_per_second - 1) })} />`}
      ${metric && before.metrics[metric] && html`<${Figure} label=${named("metric", metric)} value=${plain(chosen.metrics[metric].value)} note=${t("models.was.points", { value: plain(before.metrics[metric].value), change: difference(chosen.metrics[metric].value - before.metrics[metric].value) })} />`}
    <//>
    ${metric &&
    before.metrics[metric] &&
    html`<${Bars} label=${named("metric", metric)} format=${plain} rows=${[
      { label: t("models.after"), value: chosen.metrics[metric].value, interval: chosen.metrics[metric].interval, note: between(chosen.metrics[metric]) },
      { label: t("models.before"), value: before.metrics[metric].value, interval: before.metrics[metric].interval, note: between(before.metrics[metric]) },
    ]} />`}
  <//>`;
}

/** @param {{fidelity: {[name: string]: number}}} props Agreements are shares of 1; what is no share stands beside them. */
function Fidelity({ fidelity }) {
  const shares = Object.entries(fidelity).filter(([name]) => !OTHER.includes(name));
  return html`<${Card} title=${t("models.fidelity")} lead=${t("models.fidelity.lead")}>
    <${Bars} label=${t("models.fidelity")} most=${1} format=${(/** @type {number} */ value) => number(value, 2)} rows=${shares.map(([name, value]) => ({ label: agreement(name), value }))} />
    <${Figures}>
      ${OTHER.filter((name) => name in fidelity).map((name) => html`<${Figure} key=${name} label=${t(`models.fidelity.${name}`)} value=${number(fidelity[name], 2)} note=${t(`models.fidelity.${name}.note`)} />`)}
    <//>
  <//>`;
}

/** What agrees, such as `occlusion_spearman`. @param {string} name */
function agreement(name) {
  const found = /^(.*)_(spearman|top_tenth_iou)$/.exec(name);
  return found ? t(`models.fidelity.${found[2]}`, { method: named("explainer", found[1]) }) : named("fidelity", name);
}

/** @param {{report: import("../../types").SearchReport}} props */
function Candidates({ report }) {
  const metric = mainOf(report.candidates.find((each) => Object.keys(each.metrics).length)?.metrics ?? {});
  const n = report.candidates.filter((each) => !each.excluded).length;
  return html`<${Card} title=${t("models.candidates", { n })}>
    ${(report.notes ?? []).map((each) => html`<p class="muted" key=${each}><${Said} of=${each} /></p>`)}
    <div class="table" tabindex="0" role="region" aria-label=${t("models.candidates", { n })}><table>
      <thead><tr>
        <th scope="col">${t("models.candidate")}</th><th scope="col" class="number">${t("models.latency")}</th><th scope="col" class="number wide-only">p99</th>
        <th scope="col" class="number">${t("models.size")}</th><th scope="col" class="number">${metric ? named("metric", metric) : ""}</th><th scope="col"></th>
      </tr></thead>
      <tbody>${report.candidates.map(
        (each) => html`<tr key=${each.name} class=${each.name === report.chosen ? "marked" : ""}>
          <td title=${each.name}>${each.name}</td><td class="number">${milliseconds(latencyOf(each))}</td><td class="number wide-only">${milliseconds(first(each.latency_p99_ms))}</td>
          <td class="number">${each.size_bytes ? bytes(each.size_bytes) : "–"}</td><td class="number">${metric && each.metrics[metric] ? plain(each.metrics[metric].value) : "–"}</td>
          <td title=${each.excluded}>${each.name === report.chosen ? html`<b>${t("models.chosen")}</b>` : each.excluded ? html`<span class="muted">${each.excluded}</span>` : each.name === report.reference ? html`<span class="muted">${t("models.before")}</span>` : ""}</td>
        </tr>`,
      )}</tbody>
    </table></div>
  <//>`;
}

/** Of one row. @param {Candidate} candidate */
const latencyOf = (candidate) => first(candidate.latency_p50_ms);

/** @param {{[rows: string]: number}} latencies */
const first = (latencies) => latencies[Object.keys(latencies).sort((one, other) => Number(one) - Number(other))[0]] || null;

/** @param {number} share */
const signed = (share) => (Number.isFinite(share) ? `${share > 0 ? "+" : share < 0 ? "−" : ""}${percent(Math.abs(share), 0)}` : "–");

/** @param {number} value */
const difference = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${plain(Math.abs(value))}`;
