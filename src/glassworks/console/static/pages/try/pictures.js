/** A picture is drawn, chosen or photographed; the answer with what spoke for it, drawn over the picture. */
import { Bars } from "../../components/bars.js";
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote } from "../../components/notices.js";
import { percent } from "../../format.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useState } from "../../view.js";
import { infer, output, ranked } from "./asking.js";
import { PictureInput } from "./picture_input.js";
import { Reasons } from "./reasons.js";
import { SameRequest } from "./same_request.js";

/** @typedef {import("./asking.js").Model} Model */
/** @typedef {import("./picture_input.js").Given} Given */

const SHOWN = 5;

/** @param {{model: Model}} props */
export default function Pictures({ model }) {
  const [given, setGiven] = useState(/** @type {Given | null} */ (null));
  const [target, setTarget] = useState(/** @type {string | null} */ (null));
  const take = (/** @type {Given | null} */ taken) => {
    setGiven(taken);
    setTarget(null);
  };
  return html`<div class="two">
      <${PictureInput} model=${model} onGiven=${take} />
      <div>
        <${Card} title=${t("try.answer")}>
          ${given ? html`<${Answered} model=${model} given=${given} target=${target} onTarget=${setTarget} />` : html`<${Empty} icon="pictures" title=${t("try.picture.first")} />`}
        <//>
        ${given && html`<${Reasons} model=${model} input=${given.tensor} picture=${given.picture} target=${target} stir=${given.stir} size=${200} />`}
      </div>
    </div>
    ${given && html`<${SameRequest} model=${model} input=${given.tensor} file=${given.file ?? "picture.png"} />`}`;
}

/** @param {{model: Model, given: Given, target: string | null, onTarget: (label: string | null) => void}} props */
function Answered({ model, given, target, onTarget }) {
  /** @type {import("../../resource.js").Resource<import("./asking.js").Answer>} */
  const answer = useLoaded((signal) => infer(model, given.tensor, signal), `${model.name}@${model.version} ${given.id}`);
  return html`<div class="answer" aria-live="polite">
    <${Loaded} of=${answer}>${(/** @type {any} */ value) => html`<${Classes} model=${model} answer=${value} target=${target} onTarget=${onTarget} />`}<//>
  </div>`;
}

/**
 * Labels and their probabilities; one of them can be asked about.
 * @param {{model: Model, answer: import("./asking.js").Answer, target: string | null, onTarget: (label: string | null) => void}} props
 */
export function Classes({ model, answer, target, onTarget }) {
  const [all, setAll] = useState(false);
  const found = ranked(model, answer);
  const [best] = found;
  const several = found.reduce((sum, each) => sum + each.value, 0) > 1.01 || best.value < 0.5;
  const reported = found.filter((each) => each.reported).map((each) => each.label);
  const novelty = output(answer, "novelty")?.data;
  const chosen = target ?? best.label;
  const rows = (all ? found : found.slice(0, SHOWN)).map((each) => ({
    value: each.value,
    marked: each.label === chosen,
    label: html`<button type="button" class="ask-why" aria-pressed=${each.label === chosen ? "true" : "false"} title=${t("try.why", { label: each.label })}
      onClick=${() => onTarget(each.label === best.label ? null : each.label)}>${each.label}</button>`,
  }));
  return html`<p class="verdict-line">${several && reported.length > 1 ? reported.join(", ") : best.label} <span class="muted">${percent(best.value)}</span></p>
    ${reported.length > 0 && html`<p class="muted">${t("try.reported", { labels: reported.join(", ") })}</p>`}
    ${found.some((each) => each.reported !== null) && !reported.length && html`<p class="muted">${t("try.reported.none")}</p>`}
    ${novelty && Math.max(...novelty) > 0 && html`<${ProblemNote} kind="warning" problem=${t("try.unfamiliar")} mend=${t("try.unfamiliar.mend")} />`}
    <${Bars} rows=${rows} label=${t("try.probabilities")} format=${(/** @type {number} */ value) => percent(value, 1)} most=${1} />
    ${found.length > SHOWN && html`<${Button} kind="quiet" icon=${all ? "up" : "down"} onClick=${() => setAll(!all)}>${all ? t("try.fewer") : t("try.more", { n: found.length - SHOWN })}<//>`}`;
}
