/** What was changed, when and by whom; and the way back. */
import { post } from "../../api.js";
import { Button } from "../../components/button.js";
import { Confirm } from "../../components/dialog.js";
import { Card } from "../../components/heading.js";
import { toast } from "../../components/notices.js";
import { date } from "../../format.js";
import { has, t } from "../../i18n.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";
import { inWords, same, sentence } from "./shares.js";

/** @typedef {import("../../types").Revision} Revision */
/** @typedef {import("../../types").Deployment} Deployment */
/** @typedef {{value: Deployment, etag: string}} Tagged */

/**
 * The revision that the service goes back to: the last one in which other versions answered.
 * @param {Deployment} deployment
 * @returns {Revision | null}
 */
function before(deployment) {
  const [last] = deployment.history;
  if (!last) return null;
  const end = deployment.changed_elsewhere ? last.revision + 1 : (last.restores ?? last.revision);
  return deployment.history.find((each) => each.revision < end && Object.keys(each.shares).length > 0 && !same(each, deployment)) ?? null;
}

/** @param {{tagged: Tagged, onChanged: () => void}} props */
export function RollBack({ tagged, onChanged }) {
  const [asking, setAsking] = useState(/** @type {{to: Revision, etag: string} | null} */ (null));
  const to = before(tagged.value);
  if (!tagged.value.served.length) return null;
  return html`<${Button} icon="again" disabled=${!to} label=${to ? undefined : t("serve.back.none")} onClick=${() => to && setAsking({ to, etag: tagged.etag })}>${t("serve.back")}<//>
    ${asking && html`<${AskBack} deployment=${tagged.value} to=${asking.to} etag=${asking.etag} onChanged=${onChanged} onClose=${() => setAsking(null)} />`}`;
}

/** @param {{deployment: Deployment, to: Revision, etag: string, onChanged: () => void, onClose: () => void}} props */
function AskBack({ deployment, to, etag, onChanged, onClose }) {
  const run = async () => {
    try {
      await post(`/deployments/${encodeURIComponent(deployment.model)}/rollback`, { revision: to.revision }, { match: etag });
      toast(t("serve.back.done", { revision: to.revision }));
    } finally {
      onChanged();
    }
  };
  const text = html`${t("serve.back.now", { split: sentence(deployment) })}<br />${t("serve.back.to", { revision: to.revision, when: date(to.at), split: sentence(to) })}<br />${t("serve.back.calm")}`;
  return html`<${Confirm} title=${t("serve.back.title", { model: deployment.model })} text=${text} action=${t("serve.back")} run=${run} onClose=${onClose} />`;
}

/** @param {Revision} revision What was found before the first change was changed by nobody. */
function whatOf({ what, revision, restores }) {
  if (what === "found" && revision === 1) return t("serve.what.first");
  return has(`serve.what.${what}`) ? t(`serve.what.${what}`, { revision: restores ?? "" }) : what;
}

/** @param {{tagged: Tagged, onChanged: () => void}} props */
export function History({ tagged, onChanged }) {
  const [asking, setAsking] = useState(/** @type {{to: Revision, etag: string} | null} */ (null));
  const { history } = tagged.value;
  if (!history.length) return html`<${Card} title=${t("serve.history")}><p class="muted">${t("serve.history.none")}</p><//>`;
  return html`<${Card} title=${t("serve.history")}>
    <ol class="revisions">
      ${history.map((each, at) => html`<li key=${each.revision}>
        <span class="number muted">${each.revision}</span>
        <span><b>${whatOf(each)}</b> ${each.who && html`<span class="muted">${t("serve.by", { who: each.who })}</span>`}<br />${inWords(each.shares)}${each.shadow !== null ? ` · ${t("serve.sentence.shadow", { version: each.shadow })}` : ""}</span>
        <span class="muted">${date(each.at)}</span>
        <span>${at > 0 && may("operator") && Object.keys(each.shares).length > 0 && !same(each, tagged.value) && html`<${Button} kind="quiet" onClick=${() => setAsking({ to: each, etag: tagged.etag })}>${t("serve.restore")}<//>`}</span>
      </li>`)}
    </ol>
    ${asking && html`<${AskBack} deployment=${tagged.value} to=${asking.to} etag=${asking.etag} onChanged=${onChanged} onClose=${() => setAsking(null)} />`}
  <//>`;
}
