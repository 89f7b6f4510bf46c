/** Batches of requests as programs send them to `/v1/batches`: seen here, changed there. */
import { get, isAbort } from "../../api.js";
import { Card } from "../../components/heading.js";
import { Progress } from "../../components/progress.js";
import { ago, number } from "../../format.js";
import { has, t } from "../../i18n.js";
import { session } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";

/**
 * @typedef {object} Batch
 * @property {string} id
 * @property {string} endpoint
 * @property {string} status
 * @property {number} created_at
 * @property {{total: number, completed: number, failed: number}} request_counts
 */

const EVERY_MS = 5000;
const ENDED = ["completed", "failed", "expired", "cancelled"];

/** The newest ones of whoever looks; nothing where there are none, or the key may not see any. */
export function Batches() {
  const [items, setItems] = useState(/** @type {Batch[]} */ ([]));
  const allowed = session.value?.open || session.value?.roles?.includes("infer");
  useEffect(() => {
    if (!allowed) return undefined;
    const control = new AbortController();
    const look = () =>
      get("/v1/batches", { query: { limit: 20 }, signal: control.signal }).then(
        (/** @type {any} */ page) => setItems(page.data ?? []),
        (error) => isAbort(error) || clearInterval(timer),
      );
    const timer = setInterval(() => document.hidden || look(), EVERY_MS);
    look();
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, [allowed]);
  if (!items.length) return null;
  return html`<${Card} title=${t("runs.batches")} lead=${t("runs.batches.lead")}>
    <div class="table" tabindex="0" role="region" aria-label=${t("runs.batches")}><table>
      <thead><tr><th scope="col">${t("runs.batch")}</th><th scope="col">${t("runs.state")}</th><th scope="col">${t("runs.batch.requests")}</th><th scope="col">${t("runs.at")}</th></tr></thead>
      <tbody>${items.map((each) => html`<${Row} key=${each.id} batch=${each} />`)}</tbody>
    </table></div>
  <//>`;
}

/** @param {{batch: Batch}} props */
function Row({ batch }) {
  const { total, completed, failed } = batch.request_counts;
  const done = completed + failed;
  const state = has(`runs.batch.${batch.status}`) ? t(`runs.batch.${batch.status}`) : batch.status;
  return html`<tr>
    <td><code>${batch.id}</code><br /><span class="muted">${batch.endpoint}</span></td>
    <td>${state}</td>
    <td>${t("runs.batch.counts", { done: number(done), total: number(total) })}${failed > 0 && html` <span class="bad">${t("runs.batch.failures", { n: failed })}</span>`}
      ${!ENDED.includes(batch.status) && total > 0 && html`<${Progress} value=${done} total=${total} label=${state} />`}</td>
    <td class="muted">${ago(batch.created_at)}</td>
  </tr>`;
}
