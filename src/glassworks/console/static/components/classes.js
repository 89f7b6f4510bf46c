/** How each class of a model fares: what of it is found, what is right when it is said, and for what it is taken. */
import { number } from "../format.js";
import { t } from "../i18n.js";
import { html } from "../view.js";

const MOST = 50;

/** A row a class; of many the worst. @param {{classes?: import("../types").ClassMeasured[]}} props */
export function EachClass({ classes = [] }) {
  if (!classes.length) return null;
  const worst = [...classes].sort((a, b) => (a.recall?.value ?? -1) - (b.recall?.value ?? -1));
  const rows = classes.length > MOST ? worst.slice(0, MOST) : classes;
  const title = classes.length > MOST ? t("classes.worst", { n: MOST, total: classes.length }) : t("classes.title");
  return html`<h3>${title}</h3>
    <div class="table" tabindex="0" role="region" aria-label=${title}><table>
      <thead><tr>${["class", "examples", "recall", "precision", "mistaken"].map((each) => html`<th key=${each} scope="col">${t(`classes.${each}`)}</th>`)}</tr></thead>
      <tbody>${rows.map((each) => html`<tr key=${each.label}>
        <th scope="row">${each.label}</th><td class="number">${number(each.examples)}</td>
        <td class="number">${share(each.recall, "classes.no-example")}</td><td class="number">${share(each.precision, "classes.never")}</td>
        <td>${Object.entries(each.mistaken).slice(0, 3).map(([label, count]) => `${label} (${number(count)})`).join(", ")}</td>
      </tr>`)}</tbody>
    </table></div>`;
}

/** @param {import("../types").Metric | null} value @param {string} otherwise */
function share(value, otherwise) {
  if (!value) return html`<span class="muted">${t(otherwise)}</span>`;
  const [low, high] = value.interval ?? [value.value, value.value];
  return html`${number(value.value, 3)} <span class="muted">[${number(low, 3)}, ${number(high, 3)}]</span>`;
}
