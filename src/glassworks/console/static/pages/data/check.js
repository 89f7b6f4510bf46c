/** The check of data: begun by a button, watched while it goes on, and its last report. */
import { post, get } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { ProblemNote, Skeleton } from "../../components/notices.js";
import { Progress, StateBadge } from "../../components/progress.js";
import { follow } from "../../events.js";
import { ago } from "../../format.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { link } from "../../router.js";
import { after, isOpen } from "../../runs.js";
import { may } from "../../session.js";
import { stageOf } from "../../stages.js";
import { html, useEffect, useState } from "../../view.js";
import { ColumnsDialog, chosenOf } from "./columns.js";
import { Report } from "./report.js";

/** @typedef {import("../../types").Run} Run */

const STATES = "queued,running,interrupted,failed,succeeded";

/** @param {{id: string, source: string, unclear: import("../../types").DataDetail | null}} props `unclear`: a table whose columns are asked for. */
export function Check({ id, source, unclear }) {
  /** @type {import("../../resource.js").Resource<Run | null>} */
  const run = useLoaded((signal) => lastCheck(source, signal), source);
  const [asking, setAsking] = useState(false);
  const check = async (/** @type {any} */ how) => {
    /** @type {Run} */
    const begun = await post(`/data/${encodeURIComponent(id)}/check`, how, { idempotent: true });
    setAsking(false);
    run.change(() => begun);
  };
  const begin = useAction(async () => {
    const how = unclear ? chosenOf(source) : undefined;
    if (unclear && !how) setAsking(true);
    else await check(how);
  });
  const now = run.value;
  useEffect(() => (now && isOpen(now) ? watch(now.id, run.change) : undefined), [now?.id]);
  const again = may("operator") && (!now || !isOpen(now));
  const button = again && html`<${Button} kind=${now ? "plain" : "primary"} icon="check" busy=${begin.busy} onClick=${begin.go}>${t(now ? "data.check.again" : "data.check.go")}<//>`;
  return html`<${Card} title=${t("data.check")} actions=${now && button}>
    ${begin.error && html`<${ProblemNote} error=${begin.error} />`}
    ${run.error && html`<${ProblemNote} error=${run.error} onRetry=${run.reload} />`}
    ${now === undefined && !run.error && html`<${Skeleton} lines=${2} />`}
    ${now === null && html`<div class="row spread"><p class="muted">${t("data.check.none")}</p>${button}</div>`}
    ${now && html`<${Watched} run=${now} id=${id} />`}
    ${asking && unclear && html`<${ColumnsDialog} item=${unclear} onChosen=${check} onClose=${() => setAsking(false)} />`}
  <//>`;
}

/** @param {{run: Run, id: string}} props */
function Watched({ run, id }) {
  if (run.state === "succeeded") {
    return html`<p class="muted">${t("data.check.at", { when: ago(run.ended_at) })} <a href=${link("runs", run.id)}>${t("data.check.run")}</a></p>
      <${Report} report=${run.result.report ?? run.result} id=${id} />`;
  }
  if (run.error) return html`<${ProblemNote} error=${run.error}><a href=${link("runs", run.id)}>${t("data.check.run")}</a><//>`;
  return html`<div class="row">
      <${StateBadge} state=${run.state} cancelling=${run.cancelling} /><span class="muted">${stageOf(run)}</span><a href=${link("runs", run.id)}>${t("data.check.run")}</a>
    </div>
    ${isOpen(run) && html`<${Progress} value=${run.step} total=${run.total} label=${stageOf(run)} />`}`;
}

/**
 * The last check of these data that was not cancelled.
 * @param {string} source
 * @param {AbortSignal} signal
 * @returns {Promise<Run | null>}
 */
async function lastCheck(source, signal) {
  const query = { kind: "check", about: source, state: STATES, limit: 1 };
  /** @type {import("../../types").Page<Run>} */
  const page = await get("/runs", { query, signal });
  return page.items[0] ?? null;
}

/**
 * @param {string} id
 * @param {(change: (run: Run | null) => Run | null) => void} change
 */
function watch(id, change) {
  const stream = follow(`/runs/${id}/stream`, ({ kind, data }) => {
    // With its end comes its result, which only the run itself has.
    if (kind !== "state") change((run) => run && after(run, { ...data, kind }));
    else get(`/runs/${id}`).then((/** @type {any} */ run) => change(() => run), () => undefined);
  }, { after: 0 });
  return stream.close;
}
