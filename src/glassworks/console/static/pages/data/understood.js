/** How the data were understood, column by column, and where one says otherwise. */
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Tag } from "../../components/progress.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";

/** @typedef {import("../../types").DataDetail} DataDetail */

/** @param {{item: DataDetail, ask: () => void}} props */
export function Understood({ item, ask }) {
  const columns = item.columns ?? [];
  const roles = item.roles ?? {};
  const role = (/** @type {string} */ name) => (item.kind !== "interactions" && item.parts?.includes(name) ? "text" : Object.keys(roles).find((each) => roles[each] === name));
  const otherwise = columns.length > 0 && html`<${Button} onClick=${ask}>${t("data.otherwise")}<//>`;
  return html`<${Card} title=${t("data.understood")} actions=${otherwise}>
    <p>${t(`data.understood.${item.kind ?? "open"}`)}</p>
    ${columns.length > 0 &&
    html`<div class="table" tabindex="0" role="region" aria-label=${t("data.columns")}>
      <table>
        <thead>
          <tr><th scope="col">${t("data.column")}</th><th scope="col">${t("data.column.role")}</th><th scope="col">${t("data.column.sample")}</th></tr>
        </thead>
        <tbody>
          ${columns.map(
            (each) => html`<tr key=${each.name}>
              <td><code>${each.name}</code></td>
              <td>${role(each.name) ? html`<${Tag} kind="accent">${t(`data.role.${role(each.name)}`)}<//>` : html`<span class="muted">${t("data.column.unused", { type: t(`data.type.${each.kind}`) })}</span>`}</td>
              <td class="muted">${each.sample.join(" · ")}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`}
  <//>`;
}
