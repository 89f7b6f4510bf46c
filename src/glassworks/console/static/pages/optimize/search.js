/** A search that goes on, or went on: the run and what it has found so far. */
import { get, post } from "../../api.js";
import { follow } from "../../events.js";
import { useLoaded } from "../../resource.js";
import { after, isOpen } from "../../runs.js";
import { html, useEffect, useState } from "../../view.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { ProblemNote } from "../../components/notices.js";
import { Progress, StateBadge } from "../../components/progress.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { may } from "../../session.js";
import { stageOf } from "../../stages.js";
import { afterEvent, nothing, ofReport } from "./found.js";

/** @typedef {import("../../types").Run} Run */
/** @typedef {{run: Run, found: import("./found.js").Found}} Search */

/**
 * @param {string} id Empty for none.
 * @returns {{value: Search | undefined, error: any, loading: boolean, reload: () => void}}
 */
export function useSearch(id) {
  /** @type {import("../../resource.js").Resource<Run>} */
  const first = useLoaded((signal) => (id ? get(`/runs/${id}`, { signal }) : Promise.resolve(undefined)), id);
  const [live, setLive] = useState(/** @type {Search | null} */ (null));
  const loaded = first.value;
  useEffect(() => {
    if (!loaded) return setLive(null);
    setLive({ run: loaded, found: foundOf(loaded) });
    if (loaded.result.report) return undefined;
    const stream = follow(`/runs/${loaded.id}/stream`, ({ kind, data }) => {
      setLive((was) => was && { run: after(was.run, { ...data, kind }), found: afterEvent(was.found, { ...data, kind }) });
      if (kind === "state" && !isOpen({ ...loaded, ...data.data })) end(loaded.id, setLive, stream);
    });
    return stream.close;
  }, [loaded]);
  const { error, loading, reload } = first;
  return { error, loading, reload, value: live && loaded && live.run.id === loaded.id ? live : undefined };
}

/** @param {Run} run */
const foundOf = (run) => (run.result.report ? ofReport(run.result.report) : nothing(run.request.objective));

/**
 * All that a run has made, once it has ended.
 * @param {string} id
 * @param {(change: (was: Search | null) => Search | null) => void} set
 * @param {{close: () => void}} stream
 */
async function end(id, set, stream) {
  /** @type {Run} */
  const run = await get(`/runs/${id}`);
  if (isOpen(run)) return;
  stream.close();
  set((was) => was && { run, found: run.result.report ? ofReport(run.result.report) : was.found });
}

/** How far the search is, or how it ended. @param {{run: Run, onAgain: () => void}} props */
export function SearchState({ run, onAgain }) {
  const cancel = useAction(() => post(`/runs/${run.id}/cancel`));
  const made = run.result.model;
  return html`<div class="row spread search-state" role="status">
      <div class="row"><${StateBadge} state=${run.state} cancelling=${run.cancelling} /><span class="muted">${stageOf(run)}</span></div>
      <div class="actions">
        <a href=${link("runs", run.id)}>${t("optimize.run")}</a>
        ${isOpen(run) && may("operator") && html`<${Button} icon="stop" busy=${cancel.busy} onClick=${() => cancel.go()}>${t("action.cancel")}<//>`}
        ${!isOpen(run) && html`<${Button} icon="again" onClick=${onAgain}>${t("optimize.other")}<//>`}
      </div>
    </div>
    ${run.state === "running" && html`<${Progress} value=${run.step} total=${run.total} label=${stageOf(run)} />`}
    ${run.error && html`<${ProblemNote} error=${run.error} />`} ${cancel.error && html`<${ProblemNote} error=${cancel.error} />`}
    ${made && html`<p class="made">${t("optimize.made", { model: made })} <a href=${link("serve", made)}>${t("optimize.made.serve")}</a> · <a href=${link("try", made)}>${t("nav.try")}</a></p>`}`;
}
