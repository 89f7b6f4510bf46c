/** Asks for a key, which becomes a cookie that scripts cannot read. */
import { useAction } from "../action.js";
import { post } from "../api.js";
import { Button } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { TextField } from "../components/fields.js";
import { ProblemNote } from "../components/notices.js";
import { t } from "../i18n.js";
import { ended, signedIn } from "../session.js";
import { html, useState } from "../view.js";

export function SignIn() {
  const [key, setKey] = useState("");
  const enter = useAction(async () => signedIn(await post("/session", { key: key.trim() })));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    enter.go();
  };
  return html`<${Dialog} title=${t("session.title")}>
    <form onSubmit=${submit}>
      ${ended.value && !enter.error && html`<${ProblemNote} kind="warning" problem=${t("session.ended", { name: ended.value })} mend=${t("session.ended.mend")} />`}
      <p class="muted">${t("session.text")}</p>
      <${TextField} label=${t("session.key")} type="password" autocomplete="current-password" value=${key} onInput=${setKey} autofocus required />
      ${enter.error && html`<${Refused} error=${enter.error} />`}
      <div class="actions end"><${Button} kind="primary" type="submit" busy=${enter.busy}>${t("session.enter")}<//></div>
    </form>
  <//>`;
}

/**
 * A key that has ended says whose it was; of others nothing is known.
 * @param {{error: import("../api.js").Problem}} props
 */
function Refused({ error }) {
  if (error.status !== 401) return html`<${ProblemNote} error=${error} />`;
  const ended = /^the access key '(.+)' has expired$/.exec(error.problem);
  return ended
    ? html`<${ProblemNote} problem=${t("session.expired", { name: ended[1] })} mend=${t("session.expired.mend")} />`
    : html`<${ProblemNote} problem=${t("session.wrong")} mend=${t("session.wrong.mend")} />`;
}
