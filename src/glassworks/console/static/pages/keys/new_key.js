/** A new key: whose it is and what it may do, and then its secret, which is shown this once. */
import { get, post } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { CodeBlock } from "../../components/code.js";
import { Dialog } from "../../components/dialog.js";
import { CheckField, NumberField, SelectField, TextField } from "../../components/fields.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useState } from "../../view.js";
import { LIMITS } from "./limits.js";

/** @typedef {import("../../types").Key} Key */

const ROLES = ["infer", "viewer", "operator", "admin"];
const ENDS = ["", "12h", "7d", "30d", "90d", "365d"];

/** @param {{onClose: () => void, onMade: () => void}} props */
export function NewKey({ onClose, onMade }) {
  const [made, setMade] = useState(/** @type {{key: Key, secret: string} | null} */ (null));
  if (made) return html`<${Secret} made=${made} onClose=${onClose} />`;
  return html`<${Dialog} title=${t("keys.create")} onClose=${onClose}>
    <${Form} onClose=${onClose} onMade=${(/** @type {any} */ answer) => {
      setMade(answer);
      onMade();
    }} />
  <//>`;
}

/** @param {{onClose: () => void, onMade: (made: any) => void}} props */
function Form({ onClose, onMade }) {
  const [name, setName] = useState("");
  const [roles, setRoles] = useState(["infer"]);
  const [ends, setEnds] = useState("90d");
  const [models, setModels] = useState(/** @type {string[]} */ ([]));
  const [limits, setLimits] = useState(/** @type {{[name: string]: number | null}} */ ({}));
  /** @type {import("../../resource.js").Resource<import("../../types").Page<{name: string}>>} */
  const known = useLoaded((signal) => get("/models", { query: { limit: 200 }, signal }), "models");
  const action = useAction(async () => onMade(await post("/keys", { name, roles, models, expires_in: ends || null, ...limits })));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    action.go();
  };
  const toggle = (/** @type {string[]} */ list, /** @type {string} */ each) => (list.includes(each) ? list.filter((other) => other !== each) : [...list, each]);
  return html`<form onSubmit=${submit}>
    <${TextField} label=${t("keys.name")} hint=${t("keys.name.hint")} value=${name} onInput=${setName} required pattern="[a-z0-9][a-z0-9._\\-]*" maxlength="63" autocomplete="off" autofocus />
    <fieldset class="plain"><legend>${t("keys.roles")}</legend>
      ${ROLES.map((each) => html`<${CheckField} key=${each} label=${t(`keys.role.${each}`)} hint=${t(`keys.role.${each}.text`)} value=${roles.includes(each)} onInput=${() => setRoles(toggle(roles, each))} />`)}
    </fieldset>
    <${SelectField} label=${t("keys.ends")} value=${ends} onInput=${setEnds} options=${ENDS.map((each) => ({ value: each, label: t(`keys.ends.${each || "never"}`) }))} />
    <details class="group">
      <summary><span>${t("keys.limits")}</span><span class="muted">${t("keys.limits.text")}</span></summary>
      ${(known.value?.items.length ?? 0) > 0 &&
      html`<fieldset class="plain"><legend>${t("keys.models")}</legend>
        ${known.value?.items.map((each) => html`<${CheckField} key=${each.name} label=${each.name} value=${models.includes(each.name)} onInput=${() => setModels(toggle(models, each.name))} />`)}
      </fieldset>`}
      <div class="fields">
        ${LIMITS.map((each) => html`<${NumberField} key=${each} whole=${each !== "requests_per_s"} min="0" label=${t(`keys.field.${each}`)} placeholder=${t("keys.limits.none")} value=${limits[each] ?? null}
          onInput=${(/** @type {number | null} */ value) => setLimits({ ...limits, [each]: value })} />`)}
      </div>
    </details>
    ${action.error && html`<${ProblemNote} error=${action.error} />`}
    <div class="actions end">
      <${Button} onClick=${onClose}>${t("action.cancel")}<//>
      <${Button} kind="primary" type="submit" busy=${action.busy} disabled=${!name || !roles.length}>${t("keys.create")}<//>
    </div>
  </form>`;
}

/** It closes by its button alone, not by a slip of the hand. @param {{made: {key: Key, secret: string}, onClose: () => void}} props */
function Secret({ made, onClose }) {
  const curl = `curl -H "Authorization: Bearer ${made.secret}" ${location.origin}/v2`;
  return html`<${Dialog} title=${t("keys.made", { name: made.key.name })} wide>
    <div class="note warning" role="note"><${Icon} name="warning" /><div><p class="problem">${t("keys.secret")}</p><p>${t("keys.secret.mend")}</p></div></div>
    <${CodeBlock} label=${t("keys.secret.label")} text=${made.secret} wrap />
    <p class="muted">${t("keys.secret.use")}</p>
    <${CodeBlock} label=${t("keys.secret.use")} text=${curl} wrap />
    <div class="actions end"><${Button} kind="primary" onClick=${onClose}>${t("keys.secret.done")}<//></div>
  <//>`;
}
