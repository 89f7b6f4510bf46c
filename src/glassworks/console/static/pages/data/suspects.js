/** Labels that look wrong, one after the other: arrow keys go on, the space bar marks one to be corrected. */
import { Button } from "../../components/button.js";
import { percent } from "../../format.js";
import { t } from "../../i18n.js";
import { saveRows } from "../../save.js";
import { html, useRef, useState } from "../../view.js";
import { Thumb } from "./examples.js";
import { pictureOf } from "./report.js";

/** @typedef {import("../../types").LabelCandidate} LabelCandidate */

/** @param {{list: {total: number, items: LabelCandidate[]}, id: string}} props */
export function Suspects({ list, id }) {
  const [at, setAt] = useState(0);
  const [marked, setMarked] = useState(/** @type {Set<number>} */ (new Set()));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { items } = list;
  const move = (/** @type {number} */ by) => setAt(Math.max(0, Math.min(items.length - 1, at + by)));
  const mark = () => {
    const next = new Set(marked);
    if (!next.delete(at)) next.add(at);
    setMarked(next);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const inButton = event.target instanceof HTMLButtonElement;
    if (event.key === "ArrowRight" || event.key === "j") move(1);
    else if (event.key === "ArrowLeft" || event.key === "k") move(-1);
    else if (event.key === "x" || (event.key === " " && !inButton)) mark();
    else return;
    event.preventDefault();
  };
  const { example, suggested, probability } = items[at];
  const write = () => {
    const rows = [...marked].sort((one, other) => one - other).map((each) => items[each]);
    saveRows("labels.csv", [["name", "label", "suggested", "probability"], ...rows.map((each) => [each.example.name, each.example.label, each.suggested, String(each.probability)])]);
  };
  return html`<div class="suspects" ref=${box} tabindex="0" role="group" aria-label=${t("data.list.candidates")} onKeyDown=${keys}>
    <div class="row spread">
      <span class="actions">
        <${Button} icon="left" label=${t("data.suspect.before")} disabled=${at === 0} onClick=${() => move(-1)} />
        <span class="number" aria-live="polite">${t("data.suspect.at", { at: at + 1, n: items.length })}</span>
        <${Button} icon="right" label=${t("data.suspect.next")} disabled=${at === items.length - 1} onClick=${() => move(1)} />
      </span>
      <span class="actions">
        <${Button} kind=${marked.has(at) ? "danger" : "plain"} aria-pressed=${marked.has(at)} icon=${marked.has(at) ? "check" : "plus"} onClick=${mark}>${t(marked.has(at) ? "data.suspect.marked" : "data.suspect.mark")}<//>
        <${Button} icon="download" disabled=${!marked.size} onClick=${write}>${t("data.suspect.save", { n: marked.size })}<//>
      </span>
    </div>
    <div class="suspect" aria-live="polite">
      ${example.text !== null && example.text !== undefined ? html`<blockquote>${example.text}</blockquote>` : html`<${Thumb} src=${pictureOf(id, example)} label=${example.name} />`}
      <div>
        <p>${t("data.suspect.labelled")} <b class="bad">${example.label}</b></p>
        <p>${t("data.suspect.perhaps")} <b>${suggested}</b></p>
        <p class="muted">${t("data.suspect.probability", { p: percent(probability, probability < 0.01 ? 2 : 1) })}</p>
        <p class="muted"><code>${example.name}</code></p>
      </div>
    </div>
    ${list.total > items.length && html`<p class="muted">${t("data.list.first", { n: items.length, total: list.total })}</p>`}
    <p class="hint wide-only">${t("data.suspect.keys")}</p>
  </div>`;
}
