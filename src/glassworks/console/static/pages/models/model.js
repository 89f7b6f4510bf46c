/** One model: its aliases and all its versions, of which two can be put beside each other. */
import { Button } from "../../components/button.js";
import { Card, Heading } from "../../components/heading.js";
import { Loaded, ProblemNote, Skeleton } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { Table } from "../../components/table.js";
import { ago, bytes } from "../../format.js";
import { t } from "../../i18n.js";
import { usePages, useResource } from "../../resource.js";
import { go, link } from "../../router.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";
import { Aliases } from "./aliases.js";
import { MainMetric, mainOf, named, Warned } from "./metrics.js";

/** @typedef {import("../../types").Version} Version */
/** @typedef {import("../../types").Model} Model */

/** @param {{name: string}} props */
export function ModelPage({ name }) {
  const path = `/models/${encodeURIComponent(name)}`;
  /** @type {import("../../resource.js").Resource<Model>} */
  const model = useResource(path);
  /** @type {ReturnType<typeof usePages<Version>>} */
  const versions = usePages(`${path}/versions`, { limit: 100 });
  const [chosen, setChosen] = useState(/** @type {number[]} */ ([]));
  const choose = (/** @type {number} */ version) =>
    setChosen(chosen.includes(version) ? chosen.filter((each) => each !== version) : [...chosen, version].slice(-2));
  const compare = () => {
    const [a, b] = [...chosen].sort((one, other) => one - other);
    go(link("models", name, { a, b }));
  };
  const reload = () => {
    model.reload();
    versions.reload();
  };
  const head = html`<${Heading} title=${name} lead=${model.value && `${named("task", model.value.task)} · ${model.value.family}`} back=${{ href: link("models"), text: t("models.back") }}>
      <${Button} icon="try" href=${link("try", name)}>${t("nav.try")}<//>
      ${may("operator") && html`<${Button} icon="optimize" href=${link("optimize", name)}>${t("nav.optimize")}<//>`}
      <${Button} icon="serve" href=${link("serve", name)}>${t("nav.serve")}<//>
    <//>`;
  if (model.error && !model.value) return html`${head}<${ProblemNote} error=${model.error} onRetry=${reload} />`;
  return html`${head}
    <${Loaded} of=${model} lines=${1}>${(/** @type {Model} */ value) => html`<${Aliases} model=${value} onChange=${reload} />`}<//>
    <${Card} title=${t("models.versions")} actions=${html`<${Button} disabled=${chosen.length !== 2} onClick=${compare}>${t("models.compare")}<//>`}>
      <p class="muted">${t("models.compare.how")}</p>
      ${versions.error && html`<${ProblemNote} error=${versions.error} onRetry=${versions.reload} />`}
      ${versions.loading && html`<${Skeleton} />`}
      ${versions.items.length > 0 &&
      html`<${Table} label=${t("models.versions")} columns=${columns(chosen, choose, versions.items)} rows=${versions.items} rowKey=${(/** @type {Version} */ each) => String(each.version)}
        onEnd=${versions.more} complete=${versions.complete} marked=${(/** @type {Version} */ each) => chosen.includes(each.version)} />`}
    <//>`;
}

/**
 * @param {number[]} chosen
 * @param {(version: number) => void} choose
 * @param {Version[]} versions
 */
const columns = (chosen, choose, versions) => [
  { id: "choose", title: "", width: "44px", cell: (/** @type {Version} */ each) => html`<input type="checkbox" aria-label=${t("models.compare.choose", { version: each.version })} checked=${chosen.includes(each.version)} onChange=${() => choose(each.version)} />` },
  { id: "version", title: t("models.version"), cell: (/** @type {Version} */ each) => html`<a href=${link("models", each.name, String(each.version))}><b>${each.version}</b></a> <${Warned} warnings=${each.warnings} problem=${each.problem} /> ${each.aliases.map((alias) => html` <${Tag} kind="accent" key=${alias}>${alias}<//>`)} ${each.served && html` <${Tag}>${t("models.served")}<//>`}` },
  { id: "metric", width: "clamp(84px, 17vw, 200px)", title: versions[0] && mainOf(versions[0].metrics) ? named("metric", mainOf(versions[0].metrics)) : t("models.metric"), number: true, cell: (/** @type {Version} */ each) => html`<${MainMetric} metrics=${each.metrics} />` },
  { id: "engine", width: "170px", title: t("models.engine"), wide: true, cell: (/** @type {Version} */ each) => `${each.engine} ${each.precision}` },
  { id: "size", width: "100px", title: t("models.size"), number: true, wide: true, cell: (/** @type {Version} */ each) => bytes(each.size_bytes) },
  { id: "created", width: "clamp(84px, 10vw, 130px)", title: t("models.created"), cell: (/** @type {Version} */ each) => html`<span class="muted">${ago(each.created_at)}</span>` },
];
