/** All data: where to drop more, what was uploaded, and the samples. */
import { Button } from "../../components/button.js";
import { Card, Heading } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote, Skeleton } from "../../components/notices.js";
import { Said } from "../../components/said.js";
import { ago, bytes } from "../../format.js";
import { t } from "../../i18n.js";
import { usePages } from "../../resource.js";
import { link } from "../../router.js";
import { may } from "../../session.js";
import { html, useEffect } from "../../view.js";
import { trainLink } from "./columns.js";
import { DropData, SendingLines } from "./drop.js";
import { sendings } from "./sending.js";

/** @typedef {import("../../types").DataItem} DataItem */

export function DataList() {
  /** @type {ReturnType<typeof usePages<DataItem>>} */
  const data = usePages("/data", { limit: 200 });
  const arrived = sendings.value.filter((each) => each.state === "done").length;
  useEffect(() => {
    if (arrived) data.reload();
  }, [arrived]);
  const uploaded = data.items.filter((each) => each.origin === "uploaded");
  const samples = data.items.filter((each) => each.origin === "sample");
  const first = !data.loading && !uploaded.length;
  return html`<${Heading} title=${t("nav.data")} lead=${t("data.lead")} />
    ${may("operator") ? html`<${DropData} />` : html`<p class="muted">${t("data.viewer")}</p>`}
    <${SendingLines} />
    ${data.error && html`<${ProblemNote} error=${data.error} onRetry=${data.reload} />`}
    <${Card} class="after-drop" title=${t("data.uploaded")}>
      ${data.loading ? html`<${Skeleton} lines=${3} />` : first ? html`<p class="muted">${t(may("operator") ? "data.uploaded.none" : "data.uploaded.none.viewer")}</p>` : html`<${Items} items=${uploaded} />`}
    <//>
    <${Card} title=${t("data.samples")} lead=${t("data.samples.lead")}>
      ${data.loading ? html`<${Skeleton} lines=${3} />` : html`<${Items} items=${samples} />`}
      ${!data.complete && !data.loading && html`<${Button} onClick=${data.more}>${t("data.more")}<//>`}
    <//>`;
}

/** @param {{items: DataItem[]}} props */
function Items({ items }) {
  return html`<ul class="data-items">
    ${items.map(
      (each) => html`<li key=${each.source}>
        <${Icon} name=${each.kind ?? "data"} />
        <div>
          <a href=${link("data", each.id ?? each.source)}><b>${each.name}</b></a>
          <p class="muted">${each.about ? html`<${Said} of=${each.about} />` : t(`data.kind.${each.kind ?? "open"}`)}</p>
        </div>
        <span class="muted number wide-only">
          ${each.examples !== null && t("data.examples.n", { n: each.examples })}
          ${each.size_bytes !== null && html` · ${bytes(each.size_bytes)}`} ${each.created_at && html` · ${ago(each.created_at)}`}
        </span>
        ${may("operator") && html`<${Button} href=${trainLink(each)} icon="train">${t("nav.train")}<//>`}
      </li>`,
    )}
  </ul>`;
}
