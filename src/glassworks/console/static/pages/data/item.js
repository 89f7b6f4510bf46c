/** One set of data: what it is, how it was understood, examples of it, its check, and the way to a model. */
import { remove } from "../../api.js";
import { Button } from "../../components/button.js";
import { Confirm } from "../../components/dialog.js";
import { Card, Figure, Figures, Heading } from "../../components/heading.js";
import { Loaded, ProblemNote } from "../../components/notices.js";
import { Said } from "../../components/said.js";
import { ago, bytes, number } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { go, link } from "../../router.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";
import { Check } from "./check.js";
import { Classes } from "./classes.js";
import { ColumnsDialog, isClear } from "./columns.js";
import { Examples } from "./examples.js";
import { Understood } from "./understood.js";

/** @typedef {import("../../types").DataDetail} DataDetail */

/** @param {{id: string, ask: boolean}} props `ask`: what the data are is asked at once. */
export function DataItemPage({ id, ask }) {
  /** @type {import("../../resource.js").Resource<DataDetail>} */
  const item = useResource(`/data/${encodeURIComponent(id)}`);
  const back = { href: link("data"), text: t("data.back") };
  if (!item.value) return html`<${Heading} title=${id.replace(/^sample:/, "")} back=${back} /><${Loaded} of=${item}>${() => ""}<//>`;
  return html`<${Item} item=${item.value} id=${id} back=${back} ask=${ask} />`;
}

/** @param {{item: DataDetail, id: string, back: {href: string, text: string}, ask: boolean}} props */
function Item({ item, id, back, ask }) {
  const asked = item.columns?.length > 0 && !isClear(item);
  const [asking, setAsking] = useState(ask && asked);
  const [removing, setRemoving] = useState(false);
  const mine = item.origin === "uploaded" && may("operator");
  const { models } = item;
  return html`<${Heading} title=${item.name} lead=${html`<${Said} of=${item.about} />`} back=${back}>
      ${mine && html`<${Button} kind="quiet" icon="trash" onClick=${() => setRemoving(true)}>${t("action.remove")}<//>`}
      ${may("operator") && html`<${Button} kind="primary" icon="train" href=${asked ? undefined : link("train", { data: item.source })} onClick=${asked ? () => setAsking(true) : undefined} class="big">${t("data.train")}<//>`}
    <//>
    <${Figures}>
      <${Figure} label=${t("data.kind")} value=${t(`data.kind.${item.kind ?? "open"}`)} />
      <${Figure} label=${t("data.examples")} value=${number(item.examples)} />
      ${item.classes.length > 0 && html`<${Figure} label=${t("data.classes")} value=${number(item.classes.length)} />`}
      ${item.size_bytes !== null && html`<${Figure} label=${t("data.size")} value=${bytes(item.size_bytes)} />`}
      ${item.created_at && html`<${Figure} label=${t("data.added")} value=${ago(item.created_at)} />`}
    <//>
    ${(asked ? [] : (item.problems ?? [])).map((each, at) => html`<${ProblemNote} key=${at} kind="warning" problem=${each.problem} mend=${each.mend} />`)}
    <div class=${item.classes.length ? "two" : ""}>
      ${item.classes.length > 0 && html`<${Card} title=${t("data.classes")}><${Classes} classes=${item.classes} /><//>`}
      <${Understood} item=${item} ask=${() => setAsking(true)} />
    </div>
    <${Check} id=${id} source=${item.source} unclear=${asked ? item : null} />
    <${Card} title=${t("data.examples.title")}><${Examples} id=${id} classes=${item.classes} /><//>
    ${asking && html`<${ColumnsDialog} item=${item} onClose=${() => setAsking(false)} />`}
    ${removing &&
    html`<${Confirm} title=${t("data.remove", { name: item.name })} text=${models.length ? t("data.remove.models", { n: models.length, models: models.join(", ") }) : t("data.remove.text")} action=${t(models.length ? "data.remove.force" : "action.remove")} danger
      run=${async () => {
        await remove(`/data/${encodeURIComponent(id)}${models.length ? "?force=true" : ""}`);
        go(link("data"));
      }} onClose=${() => setRemoving(false)} />`}`;
}
