/** How far an explanation can be trusted, in words that need no statistics; the numbers stand behind them. */
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote } from "../../components/notices.js";
import { number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html, useEffect, useState } from "../../view.js";
import { agreement, explain, output } from "./asking.js";

/** @typedef {import("./asking.js").Answer} Answer */
/** @typedef {import("./asking.js").Certainty} Certainty */
/** @typedef {"good" | "fair" | "poor"} Mark */

const TURNS = 3;
const FEW = 6; // With fewer parts random orders differ too little from each other to say anything.
const ICONS = { good: "check", fair: "info", poor: "warning" };

/**
 * What is known of an explanation: a mark and a sentence each.
 * @param {{[name: string]: any}} known
 * @param {number} parts
 * @returns {{mark: Mark, text: string}[]}
 */
function sentences({ completeness_gap: gap, faithfulness_z: z, converged, method, baseline_to_try: another }, parts) {
  if (another !== undefined) return [{ mark: "poor", text: t("try.baseline.same", { baseline: number(another) }) }];
  /** @type {{mark: Mark, text: string}[]} */
  const found = [];
  if (z !== undefined && method !== "counterfactual") {
    const few = parts < FEW || z === 0;
    const mark = few ? "fair" : z >= 3 ? "good" : z >= 2 ? "fair" : "poor";
    const key = few ? "few" : z >= 3 ? "strong" : z >= 2 ? "some" : z >= -2 ? "chance" : "worse";
    found.push({ mark, text: t(`try.faithful.${key}`, { z: number(Math.abs(z), 1) }) });
  }
  if (gap !== undefined) {
    const mark = gap <= 0.01 ? "good" : gap <= 0.05 ? "fair" : "poor";
    found.push({ mark, text: gap < 0.001 ? t("try.gap.none") : t(`try.gap.${mark}`, { gap: percent(gap, 1) }) });
  }
  if (converged === false) found.push({ mark: "poor", text: t("try.unconverged") });
  return found;
}

/** @param {Answer} answer */
const partsIn = (answer) => output(answer, "attributions")?.data.length ?? 0;

/**
 * Good reasons of an answer that may be nonsense get no green tick: only where the model knows that it knows such inputs.
 * @param {Mark} mark
 * @param {Certainty | null} [certainty]
 */
const shownMark = (mark, certainty) => (mark === "good" && (certainty?.novelty ?? 1) > 0 ? "fair" : mark);

/** @param {{mark: Mark, text: string}} props */
const Line = ({ mark, text }) => html`<p class=${`grade ${mark}`}><${Icon} name=${ICONS[mark]} /><span>${text}</span></p>`;

/** @param {{answer: Answer, certainty?: Certainty | null}} props */
export function GradeLine({ answer, certainty }) {
  const [first] = sentences(answer.parameters ?? {}, partsIn(answer));
  return first ? html`<${Line} mark=${shownMark(first.mark, certainty)} text=${first.text} />` : null;
}

/** How sure the answer itself is, which the grade of its reasons does not say. @param {{certainty?: Certainty | null}} props */
export function Sure({ certainty }) {
  if (!certainty) return null;
  const { label, probability, novelty } = certainty;
  return html`<p><b>${t("try.sure", { label, share: percent(probability) })}</b></p>
    ${novelty !== null && html`<${Line} mark=${novelty > 0 ? "poor" : "good"} text=${t(novelty > 0 ? "try.sure.unfamiliar" : "try.sure.familiar")} />`}`;
}

/** @param {import("./reasons.js").Asked & {answer: Answer, method: string}} props */
export function Grade(props) {
  const known = props.answer.parameters ?? {};
  return html`<section class="grades">
    <${Sure} certainty=${props.certainty} />
    <h3>${t("try.trust")}</h3>
    <p class="muted">${t("try.trust.what")}</p>
    ${sentences(known, partsIn(props.answer)).map(({ mark, text }, at) => html`<${Line} key=${at} mark=${shownMark(mark, props.certainty)} text=${text} />`)}
    ${known.method !== "counterfactual" && html`<${Stability} ...${props} />`}
    <details><summary>${t("try.numbers")}</summary>
      <table class="known"><tbody>
        ${Object.entries(known).filter(([name]) => name !== "artifact_sha256").map(([name, value]) => html`<tr key=${name}><th scope="row"><code>${name}</code></th><td class="number">${typeof value === "number" ? number(value) : String(value)}</td></tr>`)}
      </tbody></table>
    </details>
  </section>`;
}

/**
 * Asks again, about what differs in nothing that anybody sees, or with other random choices.
 * @param {import("./reasons.js").Asked & {answer: Answer, method: string}} props
 */
function Stability({ answer, model, input, method, stir, certainty }) {
  const [share, setShare] = useState(/** @type {number | null} */ (null));
  useEffect(() => setShare(null), [answer]);
  const before = output(answer, "attributions");
  const check = useAction(async () => {
    const found = [];
    for (let turn = 1; turn <= TURNS; turn++) {
      const how = { method, target: answer.parameters?.target, seed: turn, grade: false };
      const again = output(await explain(model, stir ? await stir() : input, how), "attributions");
      if (again && before && again.data.length === before.data.length) found.push(agreement(before.data, again.data));
    }
    setShare(found.reduce((sum, each) => sum + each, 0) / found.length);
  });
  const mark = share === null ? "fair" : share >= 0.9 ? "good" : share >= 0.7 ? "fair" : "poor";
  const kind = stir ? "noise" : "seed";
  return html`${share === null
      ? html`<${Button} kind="quiet" icon="again" busy=${check.busy} onClick=${() => check.go()}>${t(`try.stable.check.${kind}`)}<//>`
      : html`<p class=${`grade ${shownMark(mark, certainty)}`} role="status"><${Icon} name=${ICONS[shownMark(mark, certainty)]} /><span>${t(`try.stable.${kind}.${mark}`, { share: number(share, 2) })}</span></p>`}
    ${check.error && html`<${ProblemNote} error=${check.error} />`}`;
}
