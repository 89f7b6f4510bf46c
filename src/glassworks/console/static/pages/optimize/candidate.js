/** One candidate: its numbers, and how to publish it. */
import { useAction } from "../../action.js";
import { post } from "../../api.js";
import { Button } from "../../components/button.js";
import { Card, Figure, Figures } from "../../components/heading.js";
import { Confirm } from "../../components/dialog.js";
import { ProblemNote } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { isOpen } from "../../runs.js";
import { may } from "../../session.js";
import { html, useState } from "../../view.js";
import { betterThan, broken, objectiveFor } from "./choice.js";
import { quantitiesOf } from "./found.js";
import { nameOf, shown } from "./words.js";

/** @typedef {import("./found.js").Found} Found */
/** @typedef {import("./found.js").Candidate} Candidate */
const SURE = 1.3;

/** @param {{model: string, found: Found, candidate: Candidate, run: import("../../types").Run | null, onStarted: (run: string) => void}} props */
export function CandidateCard({ model, found, candidate, run, onStarted }) {
  const reference = found.candidates.find((each) => each.name === found.reference);
  const breaks = broken(candidate, found.within, reference);
  const chosen = candidate.name === found.chosen;
  return html`<${Card} title=${candidate.name} actions=${html`<${Tag}>${candidate.precision}<//>${candidate.engine && html`<${Tag}>${candidate.engine}<//>`}${chosen && html`<${Tag} kind="accent">${t("optimize.legend.chosen")}<//>`}`}>
    <${Figures}>
      ${quantitiesOf(found).map((each) => html`<${Figure} key=${each} label=${nameOf(each)} value=${shown(each, candidate.values[each])} note=${against(each, candidate, reference)} />`)}
    <//>
    ${breaks.length > 0 && html`<p class="muted">${t("optimize.breaks", { limits: breaks.join(", ") })}</p>`}
    ${chosen ? html`<p>${t("optimize.is.chosen", { model: run?.result.model ?? model })} ${run?.result.model && html`<a href=${link("serve", run.result.model)}>${t("optimize.made.serve")}</a>`}</p>`
      : run && isOpen(run) ? html`<p class="muted">${t("optimize.publish.later")}</p>` : html`<${Publish} model=${model} found=${found} candidate=${candidate} run=${run} onStarted=${onStarted} />`}
  <//>`;
}

/**
 * How much of the reference's value.
 * @param {string} quantity
 * @param {Candidate} candidate
 * @param {Candidate | undefined} reference
 */
function against(quantity, candidate, reference) {
  const [own, other] = [candidate.values[quantity], reference?.values[quantity]];
  if (own === undefined || !other || candidate === reference || own === other || !/^(size|latency|time|first|tokens)/.test(quantity)) return null;
  return t("optimize.times", { times: number(own / other, 2), name: /** @type {Candidate} */ (reference).name });
}

/** @param {{model: string, found: Found, candidate: Candidate, run: any, onStarted: (run: string) => void}} props */
function Publish({ model, found, candidate, run, onStarted }) {
  const [asking, setAsking] = useState(false);
  const plan = objectiveFor(found, candidate);
  const publish = useAction(async () => {
    if (!plan) return;
    const { minimize, within } = plan;
    const budget = run?.request.objective?.budget;
    const objective = { minimize, within, ...(budget ? { budget } : {}) };
    /** @type {import("../../types").Run} */
    const started = await post("/runs", { kind: "optimize", request: { model, objective }, parent: run?.id ?? "" }, { idempotent: true });
    onStarted(started.id);
  });
  if (!plan) {
    const better = betterThan(found, candidate);
    return html`<${ProblemNote} kind="warning" problem=${better ? t("optimize.never", { other: better.name }) : t("optimize.never.tie")} mend=${t("optimize.never.mend")} />`;
  }
  if (!may("operator")) return null;
  const unsure = plan.margin < SURE;
  return html`<div class="actions"><${Button} kind="primary" icon="upload" onClick=${() => setAsking(true)}>${t("optimize.publish")}<//></div>
    ${asking && html`<${Confirm} title=${t("optimize.publish.title", { name: candidate.name })} action=${t("optimize.publish")} run=${publish.go} onClose=${() => setAsking(false)}
      text=${html`${t("optimize.publish.text")} <code>${`minimize = "${plan.minimize}", within = ${JSON.stringify(plan.within)}`}</code>${unsure && html`<br />${t("optimize.publish.unsure")}`}`} />`}
    ${publish.error && html`<${ProblemNote} error=${publish.error} />`}`;
}
