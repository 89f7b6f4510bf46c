/** Two versions beside each other: metrics, sizes, what their jobs say, and their answers to the same requests. */
import { Button } from "../../components/button.js";
import { Card, Figure, Figures, Heading } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Loaded } from "../../components/notices.js";
import { bytes, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { go, link } from "../../router.js";
import { html } from "../../view.js";
import { between, named, plain } from "./metrics.js";
import { Inputs } from "./samples.js";

/** @typedef {import("../../types").Comparison} Comparison */

/** @param {{name: string, a: string, b: string}} props */
export function ComparePage({ name, a, b }) {
  /** @type {import("../../resource.js").Resource<Comparison>} */
  const found = useResource(`/models/${encodeURIComponent(name)}/compare`, { a, b });
  return html`<${Heading} title=${t("models.compare.title", { name, a, b })} back=${{ href: link("models", name), text: t("models.all", { name }) }}>
      <${Button} icon="again" onClick=${() => go(link("models", name, { a: b, b: a }), true)}>${t("models.compare.swap")}<//>
    <//>
    <${Loaded} of=${found}>${(/** @type {Comparison} */ value) => html`<${Compared} of=${value} name=${name} names=${[a, b]} />`}<//>`;
}

/** @param {{of: Comparison, name: string, names: string[]}} props */
function Compared({ of, name, names }) {
  const [a, b] = names.map((each) => html`<a href=${link("models", name, each)}>${t("models.v", { version: each })}</a>`);
  const known = of.examples.filter((each) => each.agree !== null);
  return html`${!of.same_data && html`<div class="note warning" role="note"><${Icon} name="warning" /><div><p class="problem">${t("models.compare.data")}</p><p>${t("models.compare.data.mend")}</p></div></div>`}
    <${Card} title=${t("models.compare.metrics")} lead=${t("models.compare.lead")}>
      <div class="table" tabindex="0" role="region" aria-label=${t("models.compare.metrics")}><table class="stacked-cell">
        <thead><tr><th scope="col">${t("models.metric")}</th><th scope="col" class="number">${a}</th><th scope="col" class="number">${b}</th><th scope="col" class="number">${t("models.compare.difference")}</th><th scope="col">${t("models.compare.says")}</th></tr></thead>
        <tbody>
          ${of.metrics.map(
            (each) => html`<tr key=${each.name}>
              <td>${named("metric", each.name)}<small>${t(each.higher_is_better ? "models.higher" : "models.lower")}</small></td>
              ${[each.a, each.b].map((metric, at) => html`<td class="number" key=${at}>${metric ? html`<b>${plain(metric.value)}</b><small>${between(metric)}</small><small>n = ${metric.examples}</small>` : "–"}</td>`)}
              <td class="number">${each.difference === null ? "–" : `${each.difference > 0 ? "+" : ""}${plain(each.difference)}`} <small>${each.interval && `[${plain(each.interval[0])}, ${plain(each.interval[1])}]`}</small></td>
              <td>${each.better ? html`<b class="good">${t("models.compare.better", { version: each.better === "a" ? names[0] : names[1] })}</b>` : html`<span class="muted">${t(each.difference === null ? "models.compare.unknown" : "models.compare.chance")}</span>`}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>
    <//>
    <${Figures}>
      ${of.size_bytes.map((size, at) => html`<${Figure} key=${at} label=${t("models.compare.size", { version: names[at] })} value=${bytes(size)} />`)}
      ${known.length > 0 && html`<${Figure} label=${t("models.compare.agree")} value=${`${known.filter((each) => each.agree).length} / ${known.length}`} />`}
    <//>
    <${Card} title=${t("models.compare.keys")}>
      ${of.labels_added.length + of.labels_removed.length > 0 && html`<p>${t("models.compare.labels", { added: of.labels_added.join(", ") || "–", removed: of.labels_removed.join(", ") || "–" })}</p>`}
      ${of.keys.length ? html`<${Keys} keys=${of.keys} a=${a} b=${b} />` : html`<p class="muted">${t("models.compare.keys.none")}</p>`}
    <//>
    ${of.examples.length > 0 &&
    html`<${Card} title=${t("models.compare.examples")} lead=${t(`models.compare.from.${of.examples_from}`)}>
      <ul class="asked">
        ${of.examples.map(
          (each, at) => html`<li key=${at} class=${each.agree === false ? "differs" : ""}>
            <${Inputs} tensors=${each.inputs} />
            <span>${a}: <${Answered} of=${each.a} /><br />${b}: <${Answered} of=${each.b} />${each.agree === false && html`<br /><span class="warn">${t("models.compare.differ")}</span>`}</span>
          </li>`,
        )}
      </ul>
    <//>`}`;
}

/** @param {{keys: {key: string, a: any, b: any}[], a: any, b: any}} props */
const Keys = ({ keys, a, b }) => html`<div class="table" tabindex="0" role="region" aria-label=${t("models.compare.keys")}><table>
  <thead><tr><th scope="col">${t("models.compare.key")}</th><th scope="col">${a}</th><th scope="col">${b}</th></tr></thead>
  <tbody>${keys.map((each) => html`<tr key=${each.key}><td><code>${each.key}</code></td><td title=${said(each.a)}>${said(each.a)}</td><td title=${said(each.b)}>${said(each.b)}</td></tr>`)}</tbody>
</table></div>`;

/** What a version answered, and how sure it is. @param {{of: import("../../types").Answer | null}} props */
function Answered({ of }) {
  if (!of) return html`<b>${t("models.answer.none")}</b>`;
  const sure = of.probability !== null && html` <span class="muted number">${percent(of.probability)}</span>`;
  return html`<b>${of.decision.join(", ") || of.headline}</b>${sure}`;
}

/** @param {any} value */
const said = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));
