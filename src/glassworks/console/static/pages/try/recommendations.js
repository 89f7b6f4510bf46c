/** Recommendations for a user, or for somebody who likes some items, with what each is recommended for. */
import { Button } from "../../components/button.js";
import { NumberField, SliderField, TextField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded } from "../../components/notices.js";
import { Said } from "../../components/said.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { spoken } from "../../service_texts.js";
import { html, useState } from "../../view.js";
import { infer, output, parsed, texts } from "./asking.js";
import { useExamples } from "./examples.js";
import { LikedField } from "./liked.js";
import { Reasons, called } from "./reasons.js";
import { SameRequest } from "./same_request.js";

/** @typedef {import("./asking.js").Model} Model */
/** @typedef {{item: any, title?: string}} Item */

/** @param {{model: Model}} props */
export default function Recommendations({ model }) {
  const [asked, setAsked] = useState(/** @type {import("./asking.js").Tensor | null} */ (null));
  const [target, setTarget] = useState(/** @type {string | null} */ (null));
  const ask = (/** @type {any} */ request) => {
    setTarget(null);
    setAsked(texts(model, typeof request === "string" ? request : JSON.stringify(request)));
  };
  return html`<div class="two">
      <${Who} model=${model} onAsk=${ask} />
      <${Card} title=${t("try.recommended")}>
        ${asked ? html`<${Recommended} model=${model} input=${asked} target=${target} onTarget=${setTarget} />` : html`<${Empty} icon="interactions" title=${t("try.recommend.first")} />`}
      <//>
    </div>
    ${asked && html`<${Reasons} model=${model} input=${asked} target=${target} />`} ${asked && html`<${SameRequest} model=${model} input=${asked} />`}`;
}

/** @param {{model: Model, onAsk: (request: any) => void}} props */
function Who({ model, onAsk }) {
  const [user, setUser] = useState("");
  const [liked, setLiked] = useState(/** @type {Item[]} */ ([]));
  const [k, setK] = useState(/** @type {number | null} */ (5));
  const [diversity, setDiversity] = useState(0);
  const [features, setFeatures] = useState(/** @type {{[name: string]: string}} */ ({}));
  const given = Object.fromEntries(Object.entries(features).filter(([, value]) => value.trim()));
  const described = Object.keys(given).length > 0;
  const examples = useExamples(model);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const request = { user: user.trim() ? idOf(user.trim()) : undefined, history: liked.length ? liked.map((each) => each.item) : undefined, k: k ?? undefined };
    onAsk({ ...request, ...(described ? { features: given } : {}), ...(diversity ? { diversity } : {}) });
  };
  return html`<${Card} title=${t("try.who")}>
    <form onSubmit=${submit}>
      <${TextField} label=${t("try.user")} hint=${t("try.user.hint")} value=${user} onInput=${setUser} autocomplete="off" />
      <${LikedField} model=${model} liked=${liked} onLiked=${setLiked} />
      ${model.features.length > 0 && html`<div class="fields">${model.features.map((name) => html`<${TextField} key=${name} label=${name} hint=${t("try.feature.hint")} value=${features[name] ?? ""} onInput=${(/** @type {string} */ value) => setFeatures({ ...features, [name]: value })} autocomplete="off" />`)}</div>`}
      <div class="fields">
        <${NumberField} label=${t("try.k")} value=${k} onInput=${setK} whole min=${1} max=${1000} />
        <${SliderField} label=${t("try.diversity")} value=${diversity} min=${0} max=${1} step=${0.05} show=${(/** @type {number} */ value) => number(value, 2)} onInput=${setDiversity} />
      </div>
      <div class="actions"><${Button} kind="primary" type="submit" icon="play" disabled=${!user.trim() && !liked.length && !described}>${t("try.recommend")}<//></div>
    </form>
    ${examples.length > 0 && html`<h3>${t("try.examples")}</h3>
      <div class="actions">${examples.slice(0, 6).map((each, at) => html`<${Button} key=${at} icon="user" onClick=${() => onAsk({ ...parsed(String(each.data[0])), k: k ?? undefined, reasons: 3 })}>${t("try.somebody", { number: at + 1 })}<//>`)}</div>`}
  <//>`;
}

/**
 * An id as the data has it: a number where it looks like one that JavaScript can hold.
 * @param {string} text
 */
export const idOf = (text) => (/^(0|-?[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text);

/** @param {{model: Model, input: import("./asking.js").Tensor, target: string | null, onTarget: (item: string | null) => void}} props */
function Recommended({ model, input, target, onTarget }) {
  /** @type {import("../../resource.js").Resource<import("./asking.js").Answer>} */
  const answer = useLoaded((signal) => infer(model, input, signal), `${model.name}@${model.version} ${input.data[0]}`);
  return html`<div aria-live="polite">
    <${Loaded} of=${answer}>
      ${(/** @type {any} */ value) => html`<${Items} asked=${parsed(input.data[0])} found=${parsed(String(output(value, "recommendations")?.data[0] ?? "{}"))} target=${target} onTarget=${onTarget} />`}
    <//>
  </div>`;
}

/** @param {{asked: any, found: any, target: string | null, onTarget: (item: string | null) => void}} props */
function Items({ asked, found, target, onTarget }) {
  if (!found.items?.length) return html`<${Empty} icon="interactions" title=${t("try.recommend.none")} text=${spoken(found.shortage?.reason ?? "")} />`;
  return html`${found.basis === "popularity" && html`<p class="muted">${t("try.basis.popularity")}</p>`}
    ${found.known_user === false && asked.user !== undefined && html`<p class="muted">${t("try.user.unknown")}</p>`}
    ${found.unknown_items?.length > 0 && html`<p class="muted">${t("try.items.unknown", { items: found.unknown_items.join(", ") })}</p>`}
    <ol class="recommended">
      ${found.items.map((/** @type {any} */ each, /** @type {number} */ at) => {
        const id = String(each.item);
        const chosen = target === null ? at === 0 : target === id;
        return html`<li key=${id} class=${chosen ? "marked" : ""}>
          <button type="button" class="ask-why" aria-pressed=${chosen ? "true" : "false"} title=${t("try.why.item", { item: called(each) })} onClick=${() => onTarget(at === 0 ? null : id)}>${called(each)}</button>
          <span class="number muted">${number(each.score, 3)}</span>
          ${each.because?.length > 0 && html`<p class="muted">${t("try.liked.because", { items: each.because.map(called).join(" · ") })}</p>`}
        </li>`;
      })}
    </ol>
    ${found.shortage && html`<p class="muted"><${Said} of=${found.shortage.reason} /></p>`}`;
}
