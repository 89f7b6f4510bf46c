/** Examples as people see them: pictures as they are, texts and rows as a table; of all classes or of one. */
import { Button } from "../../components/button.js";
import { ProblemNote, Skeleton } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { usePages } from "../../resource.js";
import { html, useState } from "../../view.js";

/** @typedef {import("../../types").Example} Example */

/** @param {{id: string, classes: {name: string}[]}} props */
export function Examples({ id, classes }) {
  const [label, setLabel] = useState("");
  /** @type {ReturnType<typeof usePages<Example>>} */
  const page = usePages(`/data/${encodeURIComponent(id)}/examples`, { class: label, limit: 48 });
  const { items } = page;
  return html`${classes.length > 1 &&
    html`<p><label>${t("data.examples.of")} <select class="small" value=${label} onChange=${(/** @type {any} */ event) => setLabel(event.currentTarget.value)}>
      <option value="">${t("data.examples.all")}</option>
      ${classes.map((each) => html`<option key=${each.name} value=${each.name}>${each.name}</option>`)}
    </select></label></p>`}
    ${page.error && html`<${ProblemNote} error=${page.error} onRetry=${page.reload} />`}
    ${page.loading && html`<${Skeleton} lines=${3} />`}
    ${items[0]?.picture ? html`<${Pictures} items=${items} />` : items[0]?.row ? html`<${Rows} items=${items} />` : html`<${Texts} items=${items} />`}
    ${!page.loading && !page.error && !items.length && html`<p class="muted">${t("data.examples.none")}</p>`}
    ${!page.complete && !page.loading && !page.error && html`<p><${Button} icon="down" onClick=${page.more}>${t("data.more")}<//></p>`}`;
}

/** @param {{items: Example[]}} props */
const Pictures = ({ items }) => html`<ul class="previews">
  ${items.map((each) => html`<li key=${each.index}><${Thumb} src=${each.picture ?? ""} label=${each.label ?? ""} /><span class="muted cut">${each.label}</span></li>`)}
</ul>`;

/** @param {{items: Example[]}} props */
const Texts = ({ items }) => html`<ul class="text-lines">
  ${items.map((each) => html`<li key=${each.index}><p>${each.text}</p>${each.label && html`<span class="tag">${each.label}</span>`}</li>`)}
</ul>`;

/** @param {{items: Example[]}} props */
function Rows({ items }) {
  const names = Object.keys(items[0].row ?? {});
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("data.examples.title")}>
    <table>
      <thead><tr>${names.map((each) => html`<th key=${each} scope="col">${each}</th>`)}</tr></thead>
      <tbody>${items.map((each) => html`<tr key=${each.index}>${names.map((name) => html`<td key=${name} title=${each.row?.[name]}>${each.row?.[name]}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}

/** A picture, or its label where it cannot be shown. @param {{src: string, label: string}} props */
export function Thumb({ src, label }) {
  const [failed, setFailed] = useState(false);
  if (failed || !src) return html`<span class="preview missing" title=${label}>${label || "–"}</span>`;
  return html`<img class="preview" src=${src} alt=${label} loading="lazy" onError=${() => setFailed(true)} />`;
}
