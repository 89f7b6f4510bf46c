/** A text is written; the answer with the words that spoke for it. */
import { Button } from "../../components/button.js";
import { TextArea, TextField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useEffect, useState } from "../../view.js";
import { certaintyOf, infer, texts } from "./asking.js";
import { useExamples } from "./examples.js";
import { Classes } from "./pictures.js";
import { Reasons } from "./reasons.js";
import { SameRequest } from "./same_request.js";

/** @typedef {import("./asking.js").Model} Model */
/** @typedef {import("./asking.js").Answer} Answer */

/** What stands between the parts of a text that is asked about. */
const BETWEEN = " \u241f ";

/** @param {{model: Model}} props */
export default function Texts({ model }) {
  const [asked, setAsked] = useState(/** @type {{text: string, input: import("./asking.js").Tensor} | null} */ (null));
  const [target, setTarget] = useState(/** @type {string | null} */ (null));
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const ask = (/** @type {string} */ text) => {
    setTarget(null);
    setAnswer(null);
    setAsked({ text, input: texts(model, text) });
  };
  return html`<div class="two">
      <${Write} model=${model} onText=${ask} />
      <div>
        <${Card} title=${t("try.answer")}>
          ${asked ? html`<${Answered} key=${asked.text} model=${model} input=${asked.input} target=${target} onTarget=${setTarget} onAnswer=${setAnswer} />` : html`<${Empty} icon="texts" title=${t("try.text.first")} />`}
        <//>
        ${asked && html`<${Reasons} model=${model} input=${asked.input} text=${asked.text} target=${target} certainty=${answer && certaintyOf(model, answer, target)} />`}
      </div>
    </div>
    ${asked && html`<${SameRequest} model=${model} input=${asked.input} />`}`;
}

/** @param {{model: Model, onText: (text: string) => void}} props */
function Write({ model, onText }) {
  const [parts, setParts] = useState(model.parts.map(() => "").concat(model.parts.length ? [] : [""]));
  const text = parts.some((each) => each.trim()) ? parts.map((each) => (parts.length > 1 ? each.replaceAll("\u241f", " ") : each)).join(BETWEEN) : "";
  const put = (/** @type {number} */ at, /** @type {string} */ value) => setParts(parts.map((each, index) => (index === at ? value : each)));
  const last = parts.length - 1;
  const examples = useExamples(model).map((each) => String(each.data[0]));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim()) onText(text);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const take = (/** @type {string} */ example) => {
    const given = example.split(BETWEEN);
    setParts(parts.map((_, at) => (at < last ? (given[at] ?? "") : given.slice(at).join(BETWEEN))));
    onText(example);
  };
  return html`<${Card} title=${t("try.text")}>
    <form onSubmit=${submit} onKeyDown=${key}>
      ${parts.slice(0, last).map((each, at) => html`<${TextField} key=${at} label=${model.parts[at]} value=${each} onInput=${(/** @type {string} */ value) => put(at, value)} />`)}
      <${TextArea} label=${model.parts[last] ?? t("try.text.write")} hint=${t("try.text.hint")} rows=${5} value=${parts[last]} onInput=${(/** @type {string} */ value) => put(last, value)} />
      <div class="actions"><${Button} kind="primary" type="submit" icon="play" disabled=${!text.trim()}>${t("try.ask")}<//></div>
    </form>
    ${examples.length > 0 && html`<h3>${t("try.examples")}</h3>
      <ul class="example-texts">${examples.slice(0, 6).map((each) => html`<li key=${each}><button type="button" onClick=${() => take(each)}>${each}</button></li>`)}</ul>`}
  <//>`;
}

/** @param {{model: Model, input: import("./asking.js").Tensor, target: string | null, onTarget: (label: string | null) => void, onAnswer: (answer: Answer) => void}} props */
function Answered({ model, input, target, onTarget, onAnswer }) {
  /** @type {import("../../resource.js").Resource<import("./asking.js").Answer>} */
  const answer = useLoaded((signal) => infer(model, input, signal), `${model.name}@${model.version} ${input.data[0]}`);
  useEffect(() => {
    if (answer.value) onAnswer(answer.value);
  }, [answer.value]);
  return html`<div aria-live="polite">
    <${Loaded} of=${answer}>${(/** @type {any} */ value) => html`<${Classes} model=${model} answer=${value} target=${target} onTarget=${onTarget} />`}<//>
  </div>`;
}
