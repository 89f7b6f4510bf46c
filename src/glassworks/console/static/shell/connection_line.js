/** Says that the service cannot be reached, and that everything is shown again once it can. */
import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { askNow, connection } from "../connection.js";
import { t } from "../i18n.js";
import { html } from "../view.js";

export function ConnectionLine() {
  const state = connection.value;
  return html`<div class=${`connection ${state}`} role="status" aria-live="polite">
    ${state !== "live" &&
    html`<${Icon} name=${state === "offline" ? "warning" : "again"} />
      <span><b>${t(`connection.${state}`)}</b> ${t(`connection.${state}.mend`)}</span>
      <${Button} kind="quiet" onClick=${askNow}>${t("connection.now")}<//>`}
  </div>`;
}
