/** All runs, the newest first, as they go on. */
import { Button } from "../../components/button.js";
import { SelectField } from "../../components/fields.js";
import { Heading } from "../../components/heading.js";
import { Empty, ProblemNote, Skeleton } from "../../components/notices.js";
import { Progress, StateBadge } from "../../components/progress.js";
import { Table } from "../../components/table.js";
import { Said } from "../../components/said.js";
import { ago } from "../../format.js";
import { t } from "../../i18n.js";
import { link, requery } from "../../router.js";
import { usePages } from "../../resource.js";
import { spoken } from "../../service_texts.js";
import { followRuns, isOpen } from "../../runs.js";
import { may } from "../../session.js";
import { stageOf } from "../../stages.js";
import { html, useEffect, useMemo, useState } from "../../view.js";
import { Batches } from "./batches.js";
import { kindName, resultOf, taken } from "./words.js";

/** @typedef {import("../../types").Run} Run */
const STATES = { "": "", open: "queued,running,interrupted", succeeded: "succeeded", failed: "failed", cancelled: "cancelled" };
const KINDS = ["release", "train", "optimize", "evaluate", "fine_tuning", "check", "import", "export"];
const MOST = 6;

/** @param {{state: string, kind: string}} props */
export function RunList({ state, kind }) {
  const states = STATES[/** @type {keyof typeof STATES} */ (state)] ?? state;
  /** @type {ReturnType<typeof usePages<Run>>} */
  const runs = usePages("/runs", { state: states, kind, limit: 100 });
  const [chosen, choose] = useState(/** @type {string[]} */ ([]));
  useEffect(() => followRuns((change) => runs.change((items) => change({ items, next: null }).items)), []);
  const shown = useMemo(
    () => runs.items.filter((run) => (!states || states.includes(run.state)) && (!kind || run.kind === kind)),
    [runs.items, states, kind],
  );
  return html`<${Heading} title=${t("nav.runs")} lead=${t("runs.lead")}>
      <${Button} disabled=${chosen.length < 2} href=${chosen.length < 2 ? undefined : link("runs", "compare", { ids: chosen.join(",") })}>${t("runs.compare", { n: chosen.length })}<//>
      ${may("operator") && html`<${Button} kind="primary" href=${link("train")}>${t("runs.new")}<//>`}
    <//>
    <div class="row filters">
      <${SelectField} label=${t("runs.state")} value=${state} onInput=${(/** @type {string} */ value) => requery({ state: value })}
        options=${Object.keys(STATES).map((value) => ({ value, label: value === "" ? t("runs.all") : value === "open" ? t("runs.open") : t(`state.${value}`) }))} />
      <${SelectField} label=${t("runs.kind")} value=${kind} onInput=${(/** @type {string} */ value) => requery({ kind: value })}
        options=${["", ...KINDS].map((value) => ({ value, label: value ? kindName(value) : t("runs.all") }))} />
    </div>
    ${runs.error && html`<${ProblemNote} error=${runs.error} onRetry=${runs.reload} />`}
    ${runs.loading && html`<${Skeleton} lines=${8} />`}
    ${!runs.loading && !runs.error && !shown.length && html`<${Nothing} filtered=${!!(state || kind)} />`}
    ${shown.length > 0 &&
    html`<${Table} label=${t("nav.runs")} columns=${columnsOf(chosen, choose)} rows=${shown} rowKey=${(/** @type {Run} */ run) => run.id}
      complete=${runs.complete} onEnd=${runs.more} marked=${(/** @type {Run} */ run) => chosen.includes(run.id)} height="calc(100vh - 17rem)" />`}
    <${Batches} />`;
}

/** @param {{filtered: boolean}} props */
function Nothing({ filtered }) {
  if (filtered) return html`<${Empty} icon="search" title=${t("runs.none.such")} text=${t("runs.none.such.text")} />`;
  return html`<${Empty} icon="runs" title=${t("runs.none")} text=${may("operator") && t("runs.none.text")}>
    ${may("operator") && html`<${Button} kind="primary" href=${link("train")}>${t("runs.new")}<//>`}
  <//>`;
}

/**
 * @param {string[]} chosen
 * @param {(ids: string[]) => void} choose
 */
function columnsOf(chosen, choose) {
  const toggle = (/** @type {string} */ id) => choose(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id].slice(-MOST));
  return [
    {
      id: "chosen", title: html`<span class="unseen">${t("runs.choose")}</span>`, width: "2.6rem",
      cell: (/** @type {Run} */ run) => html`<input type="checkbox" checked=${chosen.includes(run.id)} onChange=${() => toggle(run.id)} aria-label=${t("runs.choose.one", { name: run.about, id: run.id })} />`,
    },
    { id: "about", title: t("runs.run"), cell: (/** @type {Run} */ run) => html`<a href=${link("runs", run.id)} title=${run.id}>${run.about}</a> <span class="muted">${kindName(run.kind)}</span>` },
    { id: "state", title: t("runs.state"), width: "8rem", cell: (/** @type {Run} */ run) => html`<${StateBadge} state=${run.state} cancelling=${run.cancelling} />` },
    { id: "way", title: t("runs.way"), wide: true, width: "30%", cell: way },
    { id: "time", title: t("runs.time"), number: true, wide: true, width: "8rem", cell: taken },
    { id: "at", title: t("runs.at"), wide: true, width: "10rem", cell: (/** @type {Run} */ run) => html`<span class="muted">${ago(run.created_at)}</span>` },
  ];
}

/** How far it is, what it made, or why it failed. @param {Run} run */
function way(run) {
  if (run.state === "running") {
    return html`<span class="way"><${Progress} value=${run.step} total=${run.total} label=${stageOf(run)} /><span class="muted">${stageOf(run)}</span></span>`;
  }
  if (run.error) return html`<span class="bad" title=${spoken(run.error.problem)}><${Said} of=${run.error.problem} /></span>`;
  return isOpen(run) ? html`<span class="muted">${t("runs.waits")}</span>` : resultOf(run);
}
