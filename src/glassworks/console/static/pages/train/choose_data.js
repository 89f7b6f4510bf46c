/** What one has: pictures, texts, or who chose what; then which of the data that are here. */
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Empty, Loaded } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { Said } from "../../components/said.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { link, requery } from "../../router.js";
import { useResource } from "../../resource.js";
import { html } from "../../view.js";
import { trainLink } from "../data/columns.js";

/** @typedef {import("../../types").DataItem} DataItem */
export const KINDS = ["pictures", "texts", "interactions"];

/** @param {{kind: string}} props */
export function ChooseData({ kind }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<DataItem>>} */
  const data = useResource("/data", { limit: 200 });
  return html`<${Card} title=${t("train.what")}>
      <div class="choices">
        ${KINDS.map(
          (each) => html`<button key=${each} type="button" class="choice" aria-pressed=${kind === each} onClick=${() => requery({ kind: kind === each ? "" : each })}>
            <${Icon} name=${each} /><b>${t(`train.kind.${each}`)}</b><span>${t(`train.kind.${each}.text`)}</span>
          </button>`,
        )}
      </div>
    <//>
    <${Card} title=${t("train.which")} actions=${html`<${Button} icon="upload" href=${link("data")}>${t("train.upload")}<//>`}>
      <${Loaded} of=${data}>${(/** @type {any} */ page) => html`<${Choices} items=${page.items} kind=${kind} />`}<//>
    <//>
    <p class="muted">${t("train.file")} <a href=${link("train", { job: "new" })}>${t("train.file.write")}</a></p>`;
}

/** @param {{items: DataItem[], kind: string}} props One's own first. */
function Choices({ items, kind }) {
  const fitting = items.filter((each) => !kind || !each.kind || each.kind === kind);
  const sorted = [...fitting.filter((each) => each.origin === "uploaded"), ...fitting.filter((each) => each.origin !== "uploaded")];
  if (!sorted.length) {
    return html`<${Empty} icon="data" title=${t("train.none")} text=${t("train.none.text")}>
      <${Button} kind="primary" icon="upload" href=${link("data")}>${t("train.upload")}<//>
    <//>`;
  }
  return html`<div class="choices">
    ${sorted.map(
      (each) => html`<a key=${each.source} class="choice" href=${trainLink(each)}>
        <b><${Icon} name=${each.kind ?? "data"} /> ${each.name}</b>
        <span><${Said} of=${each.about} /></span>
        <span>
          <${Tag} kind=${each.origin === "uploaded" ? "accent" : ""}>${t(`train.origin.${each.origin}`)}<//>
          ${each.examples !== null && html` <span class="number">${t("train.examples", { n: each.examples, count: number(each.examples) })}</span>`}
        </span>
      </a>`,
    )}
  </div>`;
}
