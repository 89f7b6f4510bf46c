/** Names of versions: whoever asks for `digits@candidate` gets the version that the alias names now. */
import { useAction } from "../../action.js";
import { getTagged, put, remove } from "../../api.js";
import { Button } from "../../components/button.js";
import { SelectField, TextField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote, toast } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";

/** @param {{name: string, aliases: {[alias: string]: number}, versions: {version: number}[], onChanged: () => void}} props */
export function Aliases({ name, aliases, versions, onChanged }) {
  const [alias, setAlias] = useState("");
  const [version, setVersion] = useState("");
  const model = `/models/${encodeURIComponent(name)}`;
  const pathOf = (/** @type {string} */ one) => `${model}/aliases/${encodeURIComponent(one)}`;
  const change = useAction(async (/** @type {string} */ one, /** @type {number | null} */ to) => {
    const { etag } = await getTagged(one in aliases ? pathOf(one) : model);
    if (to === null) await remove(pathOf(one), { match: etag ?? undefined });
    else await put(pathOf(one), { version: to }, { match: etag ?? undefined });
    toast(to === null ? t("serve.alias.gone", { alias: one }) : t("serve.alias.set", { alias: one, version: to }));
    setAlias("");
    onChanged();
  });
  const options = versions.map((each) => ({ value: String(each.version), label: t("serve.version", { version: each.version }) }));
  const chosen = version || options[0]?.value || "";
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (alias.trim()) change.go(alias.trim(), Number(chosen));
  };
  const found = Object.entries(aliases);
  return html`<${Card} title=${t("serve.aliases")} lead=${t("serve.aliases.lead", { model: name })}>
    ${found.length > 0 && html`<ul class="alias-list">
      ${found.map(([one, number]) => html`<li key=${one}><code>${name}@${one}</code> <span>${t("serve.alias.names", { version: number })}</span>
        ${may("operator") && one !== "champion" && html`<${Button} kind="quiet" icon="trash" label=${t("serve.alias.remove", { alias: one })} onClick=${() => change.go(one, null)} />`}</li>`)}
    </ul>`}
    ${may("operator") && options.length > 0 && html`<form class="row end-line" onSubmit=${submit}>
      <${TextField} label=${t("serve.alias")} value=${alias} onInput=${setAlias} placeholder=${t("serve.alias.example")} maxlength="63" autocomplete="off" />
      <${SelectField} label=${t("serve.column.version")} value=${chosen} options=${options} onInput=${setVersion} />
      <${Button} type="submit" busy=${change.busy} disabled=${!alias.trim()}>${t("serve.alias.apply")}<//>
    </form>`}
    ${change.error && html`<${ProblemNote} error=${change.error} />`}
  <//>`;
}
