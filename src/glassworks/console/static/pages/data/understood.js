/** How the data were understood, column by column, and how one says otherwise: as the keys of the job that learns from them. */
import { post } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { SelectField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { t } from "../../i18n.js";
import { go, link } from "../../router.js";
import { store } from "../../stored.js";
import { html, useState } from "../../view.js";

/** @typedef {import("../../types").DataDetail} DataDetail */

/** The keys of a job's data that name columns. */
const ROLES = /** @type {{[kind: string]: string[]}} */ ({ texts: ["text", "label"], interactions: ["user", "item", "time", "weight"] });

/** @param {{item: DataDetail}} props */
export function Understood({ item }) {
  const [open, setOpen] = useState(false);
  const columns = item.columns ?? [];
  const roles = item.roles ?? {};
  const role = (/** @type {string} */ name) => Object.keys(roles).find((each) => roles[each] === name);
  const otherwise = columns.length > 0 && html`<${Button} onClick=${() => setOpen(true)}>${t("data.otherwise")}<//>`;
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
              <td>${role(each.name) ? html`<${Tag} kind="accent">${t(`data.role.${role(each.name)}`)}<//>` : html`<span class="muted">${t(`data.type.${each.kind}`)}</span>`}</td>
              <td class="muted">${each.sample.join(" · ")}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`}
    ${open && html`<${Otherwise} item=${item} roles=${roles} onClose=${() => setOpen(false)} />`}
  <//>`;
}

/** @param {{item: DataDetail, roles: {[role: string]: string}, onClose: () => void}} props */
function Otherwise({ item, roles, onClose }) {
  const [kind, setKind] = useState(item.kind ?? "texts");
  const [chosen, setChosen] = useState(roles);
  const names = item.columns.map((each) => each.name);
  const none = { value: "", label: t("data.column.none") };
  const action = useAction(async () => {
    await drafted(item, kind, chosen);
    go(link("train", { data: item.source }));
  });
  return html`<${Dialog} title=${t("data.otherwise.title")} onClose=${onClose}>
    <p class="muted">${t("data.otherwise.text")}</p>
    <${SelectField} label=${t("data.kind")} value=${kind} onInput=${setKind}
      options=${Object.keys(ROLES).map((each) => ({ value: each, label: t(`data.kind.${each}`) }))} />
    ${ROLES[kind].map(
      (role) => html`<${SelectField} key=${role} label=${t(`data.role.${role}`)} value=${chosen[role] ?? ""}
        options=${[none, ...names.map((name) => ({ value: name, label: name }))]}
        onInput=${(/** @type {string} */ name) => setChosen({ ...chosen, [role]: name })} />`,
    )}
    ${action.error && html`<${ProblemNote} error=${action.error} />`}
    <div class="actions end">
      <${Button} onClick=${onClose}>${t("action.cancel")}<//>
      <${Button} kind="primary" icon="train" busy=${action.busy} onClick=${action.go}>${t("data.otherwise.go")}<//>
    </div>
  <//>`;
}

/**
 * A job with these columns, where the Train page takes up what was last written for these data.
 * @param {DataDetail} item
 * @param {string} kind
 * @param {{[role: string]: string}} chosen
 */
async function drafted(item, kind, chosen) {
  const columns = Object.fromEntries(ROLES[kind].map((role) => [role, chosen[role] ?? ""]));
  /** @type {import("../../types").Draft} */
  const draft = await post("/jobs/draft", { data: item.source, kind, columns });
  store("train.toml", draft.toml);
  store("train.data", item.source);
}
