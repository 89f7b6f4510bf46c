/** Texts as vectors: how alike others are to one text, and which of its words matter. */
import { useAction } from "../../action.js";
import { Bars } from "../../components/bars.js";
import { Button } from "../../components/button.js";
import { TextArea } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { Empty, ProblemNote } from "../../components/notices.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../view.js";
import { infer, texts } from "./asking.js";
import { useExamples } from "./examples.js";
import { Reasons } from "./reasons.js";
import { SameRequest } from "./same_request.js";

/** @param {{model: import("./asking.js").Model}} props */
export default function Embeddings({ model }) {
  const [text, setText] = useState("");
  const [others, setOthers] = useState("");
  const [found, setFound] = useState(/** @type {{text: string, input: any, width: number, rows: {label: string, value: number}[]} | null} */ (null));
  const examples = useExamples(model).map((each) => String(each.data[0]));
  const lines = others.split("\n").map((each) => each.trim()).filter(Boolean);
  const compare = useAction(async () => {
    const answer = await infer(model, texts(model, text, ...lines));
    const [{ shape, data }] = answer.outputs;
    const vectors = Array.from({ length: shape[0] }, (_, row) => data.slice(row * shape[1], (row + 1) * shape[1]));
    const rows = lines.map((label, at) => ({ label, value: cosine(vectors[0], vectors[at + 1]) })).sort((a, b) => b.value - a.value);
    setFound({ text, input: texts(model, text), width: shape[1], rows });
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    compare.go();
  };
  const example = () => {
    setText(examples[0]);
    setOthers(examples.slice(1, 6).join("\n"));
  };
  return html`<div class="two">
      <${Card} title=${t("try.texts")}>
        <form onSubmit=${submit}>
          <${TextArea} label=${t("try.embed.one")} rows=${2} value=${text} onInput=${setText} />
          <${TextArea} label=${t("try.embed.others")} hint=${t("try.embed.hint")} rows=${4} value=${others} onInput=${setOthers} />
          <div class="actions">
            <${Button} kind="primary" type="submit" icon="play" busy=${compare.busy} disabled=${!text.trim()}>${t("try.embed.compare")}<//>
            ${examples.length > 1 && html`<${Button} onClick=${example}>${t("try.embed.example")}<//>`}
          </div>
        </form>
        ${compare.error && html`<${ProblemNote} error=${compare.error} />`}
      <//>
      <${Card} title=${t("try.embed.similarity")}>
        <div aria-live="polite">
          ${found
            ? html`<${Bars} rows=${found.rows} most=${1} label=${t("try.embed.similarity")} format=${(/** @type {number} */ value) => number(value, 3)} />
                <p class="muted">${t("try.embed.about", { n: found.width })}</p>`
            : html`<${Empty} icon="texts" title=${t("try.embed.first")} />`}
        </div>
      <//>
    </div>
    ${found && html`<${Reasons} model=${model} input=${found.input} text=${found.text} /><${SameRequest} model=${model} input=${found.input} />`}`;
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
function cosine(a, b) {
  const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, each, at) => sum + each * y[at], 0);
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}
