/** A model is taken out of service. */
import { remove } from "../../api.js";
import { Button } from "../../components/button.js";
import { Confirm } from "../../components/dialog.js";
import { toast } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../view.js";

/** @param {{deployment: import("../../types").Deployment, onChanged: () => void}} props */
export function Unload({ deployment, onChanged }) {
  const [asking, setAsking] = useState(false);
  if (!deployment.served.length) return null;
  const run = async () => {
    await remove(`/deployments/${encodeURIComponent(deployment.model)}`);
    toast(t("serve.unloaded", { model: deployment.model }));
    onChanged();
  };
  return html`<${Button} icon="stop" onClick=${() => setAsking(true)}>${t("serve.unload")}<//>
    ${asking && html`<${Confirm} title=${t("serve.unload.title", { model: deployment.model })} text=${t("serve.unload.text")} action=${t("serve.unload")} danger run=${run} onClose=${() => setAsking(false)} />`}`;
}
