/** What goes wrong, as it happens. */
import { follow } from "../../events.js";
import { Card } from "../../components/heading.js";
import { Loaded } from "../../components/notices.js";
import { timeOfDay } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { html, useEffect, useState } from "../../view.js";

/** @typedef {import("../../types").FailureLine} Line */

const KEPT = 200;

/** @param {{model: string}} props Of one model, or of all. */
export function Tail({ model }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<Line>>} */
  const first = useResource("/logs", { limit: 50 });
  const [later, setLater] = useState(/** @type {Line[]} */ ([]));
  const begun = first.value !== undefined;
  useEffect(() => {
    if (!begun) return undefined;
    setLater([]);
    const stream = follow("/logs/stream", ({ data }) => setLater((was) => [data, ...was].slice(0, KEPT)), { after: first.value?.items[0]?.number ?? 0 });
    return stream.close;
  }, [begun]);
  return html`<${Card} title=${t("serve.tail")} lead=${t("serve.tail.lead")}>
    <${Loaded} of=${first} lines=${3}>
      ${(/** @type {any} */ page) => html`<${Lines} lines=${[...later, ...page.items.filter((/** @type {Line} */ each) => !later.some((one) => one.number === each.number))].filter((each) => !model || !each.model || each.model === model)} />`}
    <//>
  <//>`;
}

/** @param {{lines: Line[]}} props */
function Lines({ lines }) {
  if (!lines.length) return html`<p class="muted">${t("serve.tail.none")}</p>`;
  return html`<ol class="tail" tabindex="0" aria-label=${t("serve.tail")}>
    ${lines.slice(0, KEPT).map((each) => html`<li key=${each.number} class=${(each.status ?? 500) >= 500 ? "bad-line" : ""}>
      <span class="number muted">${timeOfDay(each.at)}</span>
      <span class="number"><b>${each.status ?? each.part}</b></span>
      <span><span class="muted">${each.method} ${each.path}</span><br />${each.problem}${each.mend && html`<br /><span class="muted">${each.mend}</span>`}</span>
    </li>`)}
  </ol>`;
}
