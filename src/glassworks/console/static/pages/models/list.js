/** All models, found by their names. */
import { Button } from "../../components/button.js";
import { Heading } from "../../components/heading.js";
import { Empty, ProblemNote, Skeleton } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { Table } from "../../components/table.js";
import { ago } from "../../format.js";
import { t } from "../../i18n.js";
import { usePages } from "../../resource.js";
import { link, requery } from "../../router.js";
import { may } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";
import { MainMetric, named, Warned } from "./metrics.js";

/** @typedef {import("../../types").Model} Model */

/** @param {{query: {[name: string]: string}}} props */
export function ModelList({ query }) {
  const asked = query.find ?? "";
  const [text, setText] = useState(asked);
  useEffect(() => {
    const timer = setTimeout(() => text !== asked && requery({ find: text }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  /** @type {ReturnType<typeof usePages<Model>>} */
  const models = usePages("/models", { query: asked.toLowerCase(), limit: 100 });
  const nothing = !models.loading && !models.error && !models.items.length;
  return html`<${Heading} title=${t("nav.models")} lead=${t("models.lead")}>
      ${may("operator") && html`<${Button} kind="primary" icon="train" href=${link("train")}>${t("models.train")}<//>`}
    <//>
    ${(!nothing || asked) &&
    html`<p class="find"><input type="search" aria-label=${t("models.find")} placeholder=${t("models.find")} value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></p>`}
    ${models.error && html`<${ProblemNote} error=${models.error} onRetry=${models.reload} />`}
    ${models.loading && html`<${Skeleton} />`}
    ${nothing && (asked ? html`<p class="muted">${t("models.find.none", { text: asked })}</p>` : html`<${Nothing} />`)}
    ${models.items.length > 0 && html`<${Table} label=${t("nav.models")} columns=${columns()} rows=${models.items} rowKey=${(/** @type {Model} */ each) => each.name} onEnd=${models.more} complete=${models.complete} />`}`;
}

const Nothing = () => html`<${Empty} icon="models" title=${t("models.none")} text=${may("operator") && t("models.none.text")}>
  ${may("operator") && html`<${Button} kind="primary" href=${link("data")}>${t("models.none.data")}<//><${Button} href=${link("train")}>${t("models.train")}<//>`}
<//>`;

const columns = () => [
  { id: "name", title: t("models.model"), cell: (/** @type {Model} */ each) => html`<a href=${link("models", each.name)}><b>${each.name}</b></a> <${Warned} warnings=${each.warnings} problem=${each.problem} />` },
  { id: "task", width: "20%", title: t("models.task"), wide: true, cell: (/** @type {Model} */ each) => html`${named("task", each.task)} <span class="muted">${each.family}</span>` },
  { id: "metric", width: "clamp(84px, 17vw, 200px)", title: t("models.metric"), number: true, cell: (/** @type {Model} */ each) => html`<${MainMetric} metrics=${each.metrics} />` },
  { id: "versions", width: "90px", title: t("models.versions"), number: true, wide: true, cell: (/** @type {Model} */ each) => html`<span title=${t("models.newest", { version: each.newest })}>${each.versions}</span>` },
  { id: "served", width: "clamp(76px, 10vw, 130px)", title: t("models.serving"), cell: (/** @type {Model} */ each) => (each.served.length ? html`<${Tag} kind="accent">${each.served.map((version) => `v${version}`).join(", ")}<//>` : html`<span class="muted">–</span>`) },
  { id: "created", width: "130px", title: t("models.created"), wide: true, cell: (/** @type {Model} */ each) => html`<span class="muted">${ago(each.created_at)}</span>` },
  { id: "try", width: "80px", title: "", wide: true, cell: (/** @type {Model} */ each) => each.served.length > 0 && html`<a href=${link("try", each.name)}>${t("nav.try")}</a>` },
];
