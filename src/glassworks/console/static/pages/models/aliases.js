/** The names that point to versions: whoever asks for `champion` gets the version that it names now. */
import { getTagged, put, remove } from "../../api.js";
import { Button } from "../../components/button.js";
import { Confirm, Dialog } from "../../components/dialog.js";
import { NumberField, TextField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { toast } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";

/** @typedef {import("../../types").Model} Model */

/** @param {{model: Model, onChange: () => void}} props */
export function Aliases({ model, onChange }) {
  const [changing, setChanging] = useState(/** @type {{alias: string, version: number} | null} */ (null));
  const [removing, setRemoving] = useState("");
  const entries = Object.entries(model.aliases).sort(([one], [other]) => (one === "champion" ? -1 : other === "champion" ? 1 : one < other ? -1 : 1));
  const able = may("operator");
  const add = able && html`<${Button} icon="plus" onClick=${() => setChanging({ alias: model.champion ? "" : "champion", version: model.newest })}>${t("models.alias.add")}<//>`;
  return html`<${Card} title=${t("models.aliases")} actions=${add}>
    <p class="muted">${t("models.aliases.lead")}</p>
    ${!entries.length && html`<p>${t("models.aliases.none")}</p>`}
    <ul class="aliases">
      ${entries.map(
        ([alias, version]) => html`<li key=${alias}>
          <b>${alias}</b><span aria-hidden="true">→</span><a href=${link("models", model.name, String(version))}>${t("models.v", { version })}</a>
          ${able && html`<${Button} kind="quiet" onClick=${() => setChanging({ alias, version })}>${t("models.alias.change")}<//>`}
          ${able && html`<${Button} kind="quiet" icon="close" label=${t("models.alias.remove", { alias })} onClick=${() => setRemoving(alias)} />`}
        </li>`,
      )}
    </ul>
    ${changing && html`<${Change} model=${model} first=${changing} onClose=${() => setChanging(null)} onChange=${onChange} />`}
    ${removing &&
    html`<${Confirm} danger title=${t("models.alias.remove", { alias: removing })} text=${t("models.alias.remove.text")} action=${t("action.remove")}
      run=${async () => {
        const { etag } = await getTagged(pathOf(model.name, removing));
        await remove(pathOf(model.name, removing), { match: etag ?? "" });
        onChange();
      }} onClose=${() => setRemoving("")} />`}
  <//>`;
}

/** @param {{model: Model, first: {alias: string, version: number}, onClose: () => void, onChange: () => void}} props */
function Change({ model, first, onClose, onChange }) {
  const [alias, setAlias] = useState(first.alias);
  const [version, setVersion] = useState(/** @type {number | null} */ (first.version));
  const [sure, setSure] = useState(false);
  const [refused, setRefused] = useState(false);
  const before = model.aliases[alias];
  if (sure && version) {
    const values = { alias, version, before: before ?? "", model: model.name };
    const served = alias === "champion" && model.served.length > 0;
    return html`<${Confirm} title=${t("models.alias.title", values)} danger=${refused} action=${t(refused ? "models.alias.force" : "models.alias.set")} onClose=${onClose}
      text=${html`${before ? t("models.alias.was", values) : t("models.alias.new", values)} ${served && html`<b>${t("models.alias.served")}</b>`}`}
      run=${async () => {
        try {
          await setAliasTo(model.name, alias, version, before !== undefined, refused);
        } catch (error) {
          setRefused(/** @type {{status?: number}} */ (error).status === 409); // it fell on a gate, or is not measured there
          throw error;
        }
        toast(t("models.alias.done", values));
        onChange();
      }} />`;
  }
  const next = (/** @type {Event} */ event) => {
    event.preventDefault();
    setSure(true);
  };
  return html`<${Dialog} title=${t("models.alias.change.title")} onClose=${onClose}>
    <form onSubmit=${next}>
      <${TextField} label=${t("models.alias")} hint=${t("models.alias.hint")} value=${alias} onInput=${setAlias} required pattern="[a-z][a-z0-9_\\-]*" autocomplete="off" />
      <${NumberField} whole label=${t("models.version")} value=${version} onInput=${setVersion} min="1" max=${model.newest} required />
      <div class="actions end">
        <${Button} onClick=${onClose}>${t("action.cancel")}<//>
        <${Button} kind="primary" type="submit" disabled=${!alias || !version || before === version}>${t("models.alias.next")}<//>
      </div>
    </form>
  <//>`;
}

/**
 * @param {string} model
 * @param {string} alias
 * @param {number} version
 * @param {boolean} known
 * @param {boolean} force
 */
async function setAliasTo(model, alias, version, known, force) {
  const { etag } = await getTagged(known ? pathOf(model, alias) : `/models/${encodeURIComponent(model)}`);
  return put(pathOf(model, alias), { version, force }, { match: etag ?? "" });
}

/**
 * @param {string} model
 * @param {string} alias
 */
const pathOf = (model, alias) => `/models/${encodeURIComponent(model)}/aliases/${encodeURIComponent(alias)}`;
