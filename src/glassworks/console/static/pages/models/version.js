/** One version: how good it is, what compression changed, where it came from, its card. */
import { Accuracy } from "../../components/accuracy.js";
import { Button } from "../../components/button.js";
import { EachClass } from "../../components/classes.js";
import { CodeBlock } from "../../components/code.js";
import { Card, Figure, Figures, Heading } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Loaded, ProblemNote } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { Tabs } from "../../components/tabs.js";
import { Said } from "../../components/said.js";
import { ago, bytes, date } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { link, requery } from "../../router.js";
import { may } from "../../session.js";
import { html } from "../../view.js";
import { Compression } from "./compression.js";
import { Lineage } from "./lineage.js";
import { Markdown } from "./markdown.js";
import { MetricBars, named } from "./metrics.js";
import { Samples } from "./samples.js";

/** @typedef {import("../../types").VersionDetail} VersionDetail */

/** @param {{name: string, version: string, tab: string}} props */
export function VersionPage({ name, version, tab }) {
  /** @type {import("../../resource.js").Resource<VersionDetail>} */
  const found = useResource(`/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`);
  const of = found.value;
  const title = t("models.title", { name, version });
  return html`<${Heading} title=${title} back=${{ href: link("models", name), text: t("models.all", { name }) }}
      lead=${of && html`${named("task", of.task)} · ${of.family} · ${ago(of.created_at)} ${of.aliases.map((each) => html` <${Tag} kind="accent" key=${each}>${each}<//>`)} ${of.served && html` <${Tag}>${t("models.served")}<//>`}`}>
      <${Button} kind="primary" icon="try" href=${link("try", `${name}@${of?.version ?? version}`)}>${t("nav.try")}<//>
      ${may("operator") && html`<${Button} icon="optimize" href=${link("optimize", `${name}@${of?.version ?? version}`)}>${t("nav.optimize")}<//>`}
      <${Button} icon="serve" href=${link("serve", name)}>${t("nav.serve")}<//>
    <//>
    <${Loaded} of=${found}>${(/** @type {VersionDetail} */ value) => html`<${Version} of=${value} tab=${tab} />`}<//>`;
}

const TABS = ["overview", "compression", "lineage", "card", "details"];

/** @param {{of: VersionDetail, tab: string}} props */
function Version({ of, tab }) {
  const selected = TABS.includes(tab) ? tab : TABS[0];
  return html`${of.problem && html`<${ProblemNote} problem=${t("models.broken")} mend=${of.problem} />`}
    ${of.warnings.map((each) => html`<div class="note warning" role="note" key=${each}><${Icon} name="warning" /><div><p class="problem"><${Said} of=${each} /></p></div></div>`)}
    <${Tabs} label=${t("models.views")} selected=${selected} onSelect=${(/** @type {string} */ id) => requery({ tab: id })}
      tabs=${TABS.map((id) => ({ id, label: t(`models.tab.${id}`) }))}>
      ${selected === "overview" && html`<${Overview} of=${of} />`}
      ${selected === "compression" && html`<${Compression} of=${of} />`}
      ${selected === "lineage" && html`<${Card} title=${t("models.lineage")} lead=${t("models.lineage.lead")}><${Lineage} graph=${of.lineage} of=${of.reference} /><//>`}
      ${selected === "card" && html`<${Card}>${of.card ? html`<${Markdown} text=${of.card} />` : html`<p class="muted">${t("models.card.none")}</p>`}<//>`}
      ${selected === "details" && html`<${Details} of=${of} />`}
    <//>`;
}

/** @param {{of: VersionDetail}} props */
function Overview({ of }) {
  return html`<${Figures}>
      <${Figure} label=${t("models.engine")} value=${of.engine || "–"} note=${of.precision} />
      <${Figure} label=${t("models.size")} value=${bytes(of.size_bytes)} />
      ${of.labels > 0 && html`<${Figure} label=${t("models.labels")} value=${of.labels} note=${html`<span class="cut">${(of.label_names ?? []).slice(0, 12).join(", ")}</span>`} />`}
      <${Figure} label=${t("models.explainers")} value=${of.explainers.length} note=${of.explainers.map((each) => named("explainer", each)).join(", ")} />
    <//>
    <${Card} title=${t("models.good")} lead=${t("models.good.lead")}>
      <${Accuracy} metrics=${of.metrics} />
      <${MetricBars} metrics=${of.metrics} baseline=${of.baseline} comparison=${of.comparison} />
      <${EachClass} classes=${of.classes} />
    <//>
    ${of.samples?.length > 0 && html`<${Card} title=${t("models.samples")} lead=${t("models.samples.lead")}><${Samples} samples=${of.samples} /><//>`}
    <p class="actions">
      ${of.run && html`<${Button} icon="runs" href=${link("runs", of.run)}>${t("models.run")}<//>`}
      ${of.parent && html`<${Button} icon="models" href=${link("models", of.name, { a: of.parent.split("@")[1], b: of.version })}>${t("models.compare.parent", { version: of.parent.split("@")[1] })}<//>`}
    </p>`;
}

/** @param {{of: VersionDetail}} props */
function Details({ of }) {
  const shapes = [...of.signature.inputs.map((each) => ({ ...each, side: "input" })), ...of.signature.outputs.map((each) => ({ ...each, side: "output" }))];
  return html`<${Card} title=${t("models.signature")}>
      <div class="table"><table>
        <thead><tr><th scope="col"></th><th scope="col">${t("models.tensor")}</th><th scope="col">${t("models.type")}</th><th scope="col">${t("models.shape")}</th></tr></thead>
        <tbody>${shapes.map((each) => html`<tr key=${each.side + each.name}><td class="muted">${t(`models.${each.side}`)}</td><td><code>${each.name}</code></td><td>${each.datatype}</td><td>${each.shape.map((size) => (size < 0 ? t("models.any") : size)).join(" × ")}</td></tr>`)}</tbody>
      </table></div>
    <//>
    <${Card} title=${t("models.job")}><${CodeBlock} label=${t("models.job")} text=${JSON.stringify(of.job, null, 2)} /><//>
    <${Card} title=${t("models.facts")}>
      <dl class="facts">
        ${[["models.created", date(of.created_at)], ["models.license", of.license], ["models.sha256", of.bundle_sha256], ["models.libraries", Object.entries(of.libraries).map((each) => each.join(" ")).join(", ")]].map(([key, value]) => html`<dt key=${key}>${t(key)}</dt><dd>${value || "–"}</dd>`)}
      </dl>
    <//>`;
}
