/** One run: where it is, its curves, what it measured, what it wrote, and what it made. */
import { useAction } from "../../action.js";
import { get, post } from "../../api.js";
import { Button } from "../../components/button.js";
import { CodeBlock } from "../../components/code.js";
import { Confirm } from "../../components/dialog.js";
import { Card, Figure, Figures, Heading } from "../../components/heading.js";
import { ProblemNote, Skeleton } from "../../components/notices.js";
import { Progress, StateBadge } from "../../components/progress.js";
import { Tabs } from "../../components/tabs.js";
import { ago, date, duration, number } from "../../format.js";
import { t } from "../../i18n.js";
import { link, requery } from "../../router.js";
import { useLoaded } from "../../resource.js";
import { isOpen } from "../../runs.js";
import { may } from "../../session.js";
import { stageOf } from "../../stages.js";
import { html, useEffect, useState } from "../../view.js";
import { Candidates } from "./candidates.js";
import { Curves } from "./curves.js";
import { followed } from "./history.js";
import { Log } from "./log.js";
import { Result } from "./result.js";
import { Waiting } from "./waiting.js";
import { kindName, taken } from "./words.js";

/** @typedef {import("../../types").Run} Run */
/** Problems that would be there again, because the job itself, or its data, have them: they name a key of it. */
const ABOUT_JOB = /\b(data|model|training|optimization|explanation)\.\w+|nothing can be (measured|learned)|\bjob\b|\[\w+\]/;
/** Kinds whose training can be ended early. */
const TRAINED = ["train", "release", "fine_tuning"];
const TABS = ["curves", "candidates", "log", "request"];

/** @param {{id: string, tab: string}} props */
export function RunView({ id, tab }) {
  const [seen, see] = useState(/** @type {{run: Run, history: any} | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  /** @type {import("../../resource.js").Resource<Run>} */
  const first = useLoaded((signal) => get(`/runs/${encodeURIComponent(id)}`, { signal }), id);
  const known = first.value?.id;
  useEffect(() => {
    if (!first.value) return undefined;
    const control = new AbortController();
    setError(null);
    followed(first.value, (run, history) => see({ run, history }), control.signal).catch((caught) => control.signal.aborted || setError(caught));
    return () => control.abort();
  }, [known]);
  const run = seen?.run ?? first.value;
  if (!run) return first.error ? html`<${ProblemNote} error=${first.error} onRetry=${first.reload} />` : html`<${Skeleton} lines=${8} />`;
  const back = { href: link("runs"), text: t("runs.back") };
  return html`<${Heading} title=${`${run.about} · ${kindName(run.kind)}`} back=${back}><${Actions} run=${run} see=${(/** @type {Run} */ next) => see((was) => was && { ...was, run: next })} /><//>
    <${Where} run=${run} />
    ${run.error && html`<${ProblemNote} problem=${run.error.problem} mend=${run.error.mend} />`}
    ${error && html`<${ProblemNote} error=${error} />`}
    <${Result} run=${run} />
    ${seen ? html`<${Views} run=${run} history=${seen.history} tab=${tab} />` : html`<${Skeleton} />`}`;
}

/** @param {{run: Run, see: (run: Run) => void}} props */
function Actions({ run, see }) {
  const [asking, ask] = useState(false);
  const resume = useAction(async () => see(await post(`/runs/${run.id}/resume`)));
  const finish = useAction(async () => see(await post(`/runs/${run.id}/finish`)));
  const failed = run.state === "failed";
  const changeable = failed && !!run.request?.job && ABOUT_JOB.test(`${run.error?.problem} ${run.error?.mend}`);
  return html`
    <${Button} href=${link("runs", "compare", { ids: run.id })}>${t("runs.compare.with")}<//>
    ${run.request?.job && may("operator") && html`<${Button} kind=${changeable ? "primary" : "plain"} icon=${changeable ? "train" : undefined} href=${link("train", { run: run.id })}>${t(failed ? "runs.change" : "runs.train.again")}<//>`}
    ${TRAINED.includes(run.kind) && run.state === "running" && run.stage === "train" && may("operator") &&
    html`<${Button} icon="check" busy=${finish.busy} disabled=${run.cancelling || !!run.request.finish} title=${t("runs.finish.text")} onClick=${finish.go}>${t(run.request.finish ? "runs.finishing" : "runs.finish")}<//>`}
    ${finish.error && html`<${ProblemNote} error=${finish.error} />`}
    ${isOpen(run) && may("operator") && html`<${Button} kind="danger" icon="stop" disabled=${run.cancelling} onClick=${() => ask(true)}>${t("runs.cancel")}<//>`}
    ${["failed", "cancelled"].includes(run.state) && may("operator") && html`<${Button} kind=${changeable ? "plain" : "primary"} icon="play" busy=${resume.busy} onClick=${resume.go}>${t("runs.resume")}<//>`}
    ${resume.error && html`<${ProblemNote} error=${resume.error} />`}
    ${asking &&
    html`<${Confirm} title=${t("runs.cancel.title")} text=${t("runs.cancel.text")} action=${t("runs.cancel")} danger
      run=${async () => see(await post(`/runs/${run.id}/cancel`))} onClose=${() => ask(false)} />`}`;
}

/** @param {{run: Run}} props */
function Where({ run }) {
  const running = run.state === "running";
  const left = running ? run.values.left_s : undefined;
  return html`<${Card}>
    <${Figures}>
      <${Figure} label=${t("runs.state")} value=${html`<${StateBadge} state=${run.state} cancelling=${run.cancelling} />`} note=${run.attempts > 1 ? t("runs.attempts", { n: run.attempts }) : null} />
      ${isOpen(run) && html`<${Figure} label=${t("runs.stage")} value=${stageOf(run) || "–"} note=${run.total ? t("runs.step", { step: number(run.step), total: number(run.total) }) : running && run.step ? number(run.step) : null} />`}
      ${isOpen(run) && html`<${Figure} label=${t("runs.left")} value=${left === undefined ? "–" : duration(left)} />`}
      <${Figure} label=${t("runs.time")} value=${taken(run)} />
      <${Figure} label=${t("runs.at")} value=${ago(run.created_at)} note=${run.who ? t("runs.by", { who: run.who, when: date(run.created_at) }) : date(run.created_at)} />
    <//>
    ${running && html`<${Progress} value=${run.step} total=${run.total} label=${stageOf(run)} />`}
    ${(run.state === "queued" || run.state === "interrupted") && html`<${Waiting} run=${run} />`}
  <//>`;
}

/** @param {{run: Run, history: import("./history.js").History, tab: string}} props */
function Views({ run, history, tab }) {
  const selected = TABS.includes(tab) ? tab : "curves";
  const measured = run.result.report?.candidates?.filter((/** @type {any} */ each) => !each.excluded);
  const counts = { curves: null, candidates: measured?.length ?? history.candidates.size, log: history.lines.length, request: null };
  const tabs = TABS.map((id) => {
    const count = counts[/** @type {keyof typeof counts} */ (id)];
    return { id, label: html`${t(`runs.tab.${id}`)}${count ? html` <span class="muted number">${number(count)}</span>` : ""}` };
  });
  return html`<${Tabs} label=${t("runs.views")} tabs=${tabs} selected=${selected} onSelect=${(/** @type {string} */ id) => requery({ tab: id })}>
    ${selected === "curves" && html`<${Curves} run=${run} history=${history} />`}
    ${selected === "candidates" && html`<${Candidates} run=${run} history=${history} />`}
    ${selected === "log" && html`<${Log} history=${history} />`}
    ${selected === "request" && html`<${CodeBlock} label=${t("runs.tab.request")} text=${JSON.stringify(run.request, null, 2)} />`}
  <//>`;
}
