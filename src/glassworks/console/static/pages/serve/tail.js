/** What goes wrong, as it happens. */
import { follow } from "../../events.js";
import { Card } from "../../components/heading.js";
import { Loaded } from "../../components/notices.js";
import { Said } from "../../components/said.js";
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
      ${(/** @type {any} */ page) => html`<${Lines} lines=${[...later, ...page.items.filter((/** @type {Line} */ each) => !later.some((one) => one.number === each.number))].filter((each) => !model || concerns(each, model))} />`}
    <//>
  <//>`;
}

/**
 * Whether a failure has to do with a model: one of it, or of the service that answers for it, not one of this console.
 * @param {Line} line
 * @param {string} model
 */
const concerns = (line, model) => (line.model ? line.model === model : !line.path.startsWith("/api/v1/"));

/** @param {{lines: Line[]}} props */
function Lines({ lines }) {
  if (!lines.length) return html`<p class="muted">${t("serve.tail.none")}</p>`;
  return html`<ol class="tail" tabindex="0" aria-label=${t("serve.tail")}>
    ${gathered(lines.slice(0, KEPT)).map(
      ({ line, times }) => html`<li key=${line.number} class=${(line.status ?? 500) >= 500 ? "bad-line" : ""}>
        <span class="number muted">${timeOfDay(line.at)}</span>
        <span class="number"><b>${line.status ?? line.part}</b>${times > 1 ? ` × ${times}` : ""}</span>
        <span><span class="muted">${line.method} ${line.path}</span><br /><${Said} of=${line.problem} />${line.mend && html`<br /><span class="muted"><${Said} of=${line.mend} /></span>`}</span>
      </li>`,
    )}
  </ol>`;
}

/**
 * Of the same error several times in a row the last one.
 * @param {Line[]} lines
 */
function gathered(lines) {
  /** @type {{line: Line, times: number}[]} */
  const found = [];
  for (const line of lines) {
    const last = found[found.length - 1];
    if (last && last.line.problem === line.problem && last.line.path === line.path) last.times++;
    else found.push({ line, times: 1 });
  }
  return found;
}
