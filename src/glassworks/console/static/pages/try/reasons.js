/** Why a model answers so: the reasons drawn over the input, how far to trust them, and other methods beside them. */
import { Bars } from "../../components/bars.js";
import { Button } from "../../components/button.js";
import { SelectField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { HeatMap } from "../../components/heat_map.js";
import { Loaded } from "../../components/notices.js";
import { ShadedText } from "../../components/shaded_text.js";
import { milliseconds, number } from "../../format.js";
import { has, t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useEffect, useMemo, useState } from "../../view.js";
import { agreement, byPixel, explain, nearby, output, parsed } from "./asking.js";
import { Grade, GradeLine } from "./grade.js";

/** @typedef {import("./asking.js").Model} Model */
/** @typedef {import("./asking.js").Answer} Answer */
/** @typedef {import("./asking.js").Tensor} Tensor */
/**
 * @typedef {object} Asked
 * @property {Model} model
 * @property {Tensor} input
 * @property {string | number | null} [target] Another answer than the first.
 * @property {CanvasImageSource | null} [picture]
 * @property {string} [text]
 * @property {() => Promise<Tensor>} [stir]
 * @property {number} [size] Of a picture, in pixels.
 */

const SHOWN = 12;
let made = 0;
/** @type {WeakMap<Tensor, number>} Numbers of inputs, since texts of pictures are long keys. */
const numbers = new WeakMap();

/** @param {Tensor} input */
function numberOf(input) {
  if (!numbers.has(input)) numbers.set(input, ++made);
  return numbers.get(input);
}

/** @param {string} method */
export const methodOf = (method) => (has(`try.method.${method}`) ? t(`try.method.${method}`) : method.replaceAll("_", " "));

/** @param {Asked & {method: string}} props */
function useExplanation({ model, input, target, method }) {
  const key = JSON.stringify([model.name, model.version, numberOf(input), target ?? null, method]);
  /** @type {import("../../resource.js").Resource<Answer>} */
  const found = useLoaded((signal) => explain(model, input, { method, target }, signal), key);
  return found;
}

/** @param {Asked} props */
export function Reasons(props) {
  const { model } = props;
  const [method, setMethod] = useState(model.explainers[0] ?? "");
  const [beside, setBeside] = useState(false);
  if (!model.explainers.length) return html`<${Card} title=${t("try.reasons")}><p class="muted">${t("try.reasons.none")}</p><//>`;
  const several = model.explainers.length > 1;
  const compare = several && html`<${Button} icon=${beside ? "minus" : "plus"} onClick=${() => setBeside(!beside)}>${beside ? t("try.compare.end") : t("try.compare")}<//>`;
  const named = props.target && model.task.endsWith("-classification");
  const title = named ? t("try.why", { label: String(props.target) }) : t("try.reasons");
  return html`<${Card} title=${title} actions=${compare}>
    ${several && !beside && html`<${SelectField} label=${t("try.method")} value=${method} onInput=${setMethod}
      options=${model.explainers.map((value) => ({ value, label: methodOf(value) }))} hint=${aboutOf(method)} />`}
    ${beside ? html`<${Beside} ...${props} />` : html`<${One} key=${method} ...${props} method=${method} />`}
  <//>`;
}

/** @param {string} method */
const aboutOf = (method) => (has(`try.about.${method}`) ? t(`try.about.${method}`) : "");

/** @param {Asked & {method: string}} props */
function One(props) {
  const found = useExplanation(props);
  return html`<div aria-live="polite" class=${found.loading ? "reasons renewed" : "reasons"}>
    <${Loaded} of=${found}>
      ${(/** @type {Answer} */ answer) => html`<${Drawn} ...${props} answer=${answer} size=${props.size ?? 320} />
        <${Grade} answer=${answer} ...${props} />`}
    <//>
  </div>`;
}

/** @param {Asked} props */
function Beside(props) {
  const [found, setFound] = useState(/** @type {{[method: string]: Answer}} */ ({}));
  const first = found[props.model.explainers[0]];
  const keep = (/** @type {string} */ method, /** @type {Answer} */ answer) => setFound((/** @type {any} */ was) => (was[method] === answer ? was : { ...was, [method]: answer }));
  return html`<div class="beside">
    ${props.model.explainers.map((method, at) => html`<${Small} key=${method} ...${props} method=${method} first=${at ? first : undefined} onFound=${keep} />`)}
  </div>`;
}

/** @param {Asked & {method: string, first?: Answer, onFound: (method: string, answer: Answer) => void}} props */
function Small(props) {
  const { method, first, onFound } = props;
  const found = useExplanation(props);
  useEffect(() => {
    if (found.value) onFound(method, found.value);
  }, [found.value]);
  return html`<section>
    <h3>${methodOf(method)}</h3>
    <${Loaded} of=${found}>
      ${(/** @type {Answer} */ answer) => html`<${Drawn} ...${props} answer=${answer} size=${200} few />
        <${GradeLine} answer=${answer} />
        <p class="muted number">${milliseconds(answer.parameters?.milliseconds)}${first && like(first, answer)}</p>`}
    <//>
  </section>`;
}

/**
 * How like another method's reasons these are.
 * @param {Answer} first
 * @param {Answer} answer
 */
function like(first, answer) {
  const [a, b] = [output(first, "attributions"), output(answer, "attributions")];
  if (!a || !b || a.data.length !== b.data.length) return "";
  const share = agreement(a.data, b.data);
  return ` · ${t("try.agreement", { share: number(Math.abs(share) < 0.005 ? 0 : share, 2) })}`;
}

/**
 * Values over what they belong to: pixels, words, or things with names.
 * @param {Asked & {answer: Answer, size: number, few?: boolean}} props
 */
function Drawn({ model, answer, picture, text, size, few }) {
  const values = output(answer, "attributions");
  const [spans, names] = [output(answer, "spans"), output(answer, "names")];
  const label = labelOf(model, answer);
  if (!values) return null;
  if (names) return html`<${Named} values=${values.data} names=${names.data.map(parsed)} answer=${answer} few=${few} />`;
  if (spans) return html`<${ShadedText} parts=${partsOf(text ?? "", spans.data, values.data)} label=${t("try.shaded", { label })} /><${Legend} label=${label} />`;
  return html`<${Heats} values=${values} picture=${picture} size=${size} few=${few} label=${label} />${!few && html`<${Legend} label=${label} />`}`;
}

/** @param {{values: Tensor, picture?: CanvasImageSource | null, size: number, few?: boolean, label: string}} props */
function Heats({ values, picture, size, few, label }) {
  const { map, near } = useMemo(() => {
    const map = byPixel(values);
    return { map, near: picture ? nearby(map, picture) : null };
  }, [values, picture]);
  const beside = near ?? { ...map, picture: null };
  return html`<div class="heats">
    <${HeatMap} ...${map} picture=${picture} size=${size} label=${t("try.heat", { label })} />
    ${(!few || near) && html`<${HeatMap} ...${beside} size=${size} label=${t(near ? "try.heat.near" : "try.heat.alone", { label })} opacity=${near ? 0.8 : 1} />`}
  </div>`;
}

/**
 * What an explanation is of.
 * @param {Model} model
 * @param {Answer} answer
 */
function labelOf(model, answer) {
  const label = String(answer.parameters?.label ?? "");
  const pixel = /^pixel (\d+),(\d+)/.exec(label);
  if (pixel) return t("try.pixel", { x: pixel[1], y: pixel[2] });
  return model.task === "text-embedding" ? t("try.place") : label;
}

/** @param {{label: string}} props */
function Legend({ label }) {
  return html`<ul class="legend">
    <li><i class="swatch" style=${{ background: "var(--for)" }}></i>${t("try.for", { label })}</li>
    <li><i class="swatch" style=${{ background: "var(--against)" }}></i>${t("try.against", { label })}</li>
  </ul>`;
}

/**
 * The parts of a text with their values; positions count characters, not halves of them.
 * @param {string} text
 * @param {number[]} spans
 * @param {number[]} values
 */
export function partsOf(text, spans, values) {
  const characters = Array.from(text);
  const parts = [];
  let end = 0;
  for (let at = 0; at < values.length; at++) {
    const [from, to] = [spans[2 * at], spans[2 * at + 1]];
    if (from > end) parts.push({ text: characters.slice(end, from).join(""), weight: 0 });
    if (to > from) parts.push({ text: characters.slice(from, to).join(""), weight: values[at] });
    end = Math.max(end, to);
  }
  if (end < characters.length) parts.push({ text: characters.slice(end).join(""), weight: 0 });
  return parts;
}

/** @param {{item: any, title?: string}} name */
export const called = ({ item, title }) => (item === null ? t("try.popularity") : String(title ?? item));

/** @param {{values: number[], names: any[], answer: Answer, few?: boolean}} props */
function Named({ values, names, answer, few }) {
  const label = String(answer.parameters?.label ?? "");
  const found = values.map((value, at) => ({ value, label: called(names[at]) })).filter((each) => each.value);
  if (answer.parameters?.method === "counterfactual") return html`<${Without} label=${label} names=${found.map((each) => each.label)} found=${answer.parameters.converged} />`;
  const top = found.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, few ? 5 : SHOWN);
  return html`<p>${t("try.because", { label })}</p>
    <${Bars} rows=${top} label=${t("try.because", { label })} format=${(/** @type {number} */ value) => number(value, 3)} />
    ${found.length > top.length && html`<p class="muted">${t("try.because.more", { n: found.length - top.length })}</p>`}`;
}

/** @param {{label: string, names: string[], found: boolean}} props */
function Without({ label, names, found }) {
  if (!found) return html`<p>${t("try.without.none", { label })}</p>`;
  return html`<p>${t("try.without", { label })}</p><ul class="removed">${names.map((name) => html`<li key=${name}>${name}</li>`)}</ul>`;
}
