/** A run that waits: how many are before it, or that no worker would take it. */
import { ProblemNote } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { html, useEffect } from "../../view.js";

/** @typedef {import("../../types").Run} Run */

const AGAIN_MS = 4000;

/** @param {{run: Run}} props */
export function Waiting({ run }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Status>} */
  const status = useResource("/status");
  /** @type {import("../../resource.js").Resource<import("../../types").Page<Run>>} */
  const open = useResource("/runs", { state: "running,queued,interrupted", limit: 200 });
  useEffect(() => {
    const again = () => document.hidden || (status.reload(), open.reload());
    const timer = setInterval(again, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const again = run.state === "interrupted" && html`<p class="muted">${t("runs.interrupted.text")}</p>`;
  if (!status.value || !open.value) return again;
  if (!status.value.workers) return html`${again}<${ProblemNote} kind="warning" problem=${t("runs.no-worker")} mend=${t("runs.no-worker.mend")} />`;
  const n = open.value.items.filter((each) => isBefore(each, run)).length;
  return html`${again}<p class="muted" role="status">${n ? t("runs.before", { n }) : t("runs.next")}</p>`;
}

/**
 * Whether one is worked on, or is taken before another.
 * @param {Run} one
 * @param {Run} other
 */
function isBefore(one, other) {
  if (one.id === other.id) return false;
  if (one.state === "running" || one.priority !== other.priority) return one.state === "running" || one.priority > other.priority;
  return one.created_at < other.created_at;
}
