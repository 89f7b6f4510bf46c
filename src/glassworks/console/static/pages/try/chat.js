/** A chat with a language model: its answers as they are written, and on demand how sure it was of each token. */
import { Button } from "../../components/button.js";
import { CheckField, NumberField, SliderField, TextArea } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html, useEffect, useRef, useState } from "../../view.js";
import { JsonRequest } from "./same_request.js";
import { streamed } from "./streamed.js";
import { WhyAnswer } from "./why_answer.js";

/** @typedef {{token: string, logprob: number, top_logprobs: {token: string, logprob: number}[]}} Token */
/** @typedef {{role: "user" | "assistant", content: string, tokens?: Token[], note?: string}} Turn */
/** @typedef {{system: string, temperature: number, most: number | null, sure: boolean}} How */

const PATH = "/v1/chat/completions";

/** @param {{model: import("./asking.js").Model}} props */
export default function Chat({ model }) {
  const [turns, setTurns] = useState(/** @type {Turn[]} */ ([]));
  const [how, setHow] = useState(/** @type {How} */ ({ system: "", temperature: 0, most: 256, sure: false }));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [why, setWhy] = useState(/** @type {number | null} */ (null));
  const [stopping, setStopping] = useState(/** @type {AbortController | null} */ (null));
  const running = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => running.current?.abort(), []);
  const name = model.version ? `${model.name}@${model.version}` : model.name;
  const send = async (/** @type {string} */ content) => {
    const control = (running.current = new AbortController());
    const asked = [...turns, { role: /** @type {const} */ ("user"), content }];
    setError(null);
    setWhy(null);
    setStopping(control);
    setTurns([...asked, { role: "assistant", content: "" }]);
    try {
      await answer(bodyOf(name, asked, how), control.signal, (turn) => setTurns([...asked, turn]));
    } catch (caught) {
      if (!control.signal.aborted) setError(caught);
    }
    if (running.current === control) running.current = null;
    setStopping(null);
    setTurns((/** @type {Turn[]} */ was) => was.filter((each) => each.content || each.role === "user"));
  };
  const again = () => {
    running.current?.abort();
    setTurns([]);
    setWhy(null);
    setError(null);
  };
  return html`<${Card} title=${t("try.chat")} actions=${turns.length > 0 && html`<${Button} icon="again" onClick=${again}>${t("try.chat.again")}<//>`}>
      <${Turns} turns=${turns} sure=${how.sure} busy=${!!stopping} onWhy=${model.explainers.length ? setWhy : null} />
      ${error && html`<${ProblemNote} error=${error} />`}
      <div class="stack">
        <${Write} busy=${!!stopping} onSend=${send} onStop=${() => stopping?.abort()} />
        <${Settings} how=${how} onHow=${setHow} />
      </div>
    <//>
    ${why !== null && html`<${WhyAnswer} model=${model} messages=${messagesOf(turns.slice(0, why), how.system)} content=${turns[why].content} onClose=${() => setWhy(null)} />`}
    <${JsonRequest} path=${PATH} body=${{ ...bodyOf(name, turns.length ? turns.slice(0, 1) : [{ role: "user", content: t("try.chat.sample") }], { ...how, sure: false }), stream: false, stream_options: undefined }} />`;
}

/**
 * @param {string} model
 * @param {Turn[]} turns
 * @param {How} how
 */
function bodyOf(model, turns, { system, temperature, most, sure }) {
  const messages = messagesOf(turns, system);
  const probabilities = sure ? { logprobs: true, top_logprobs: 3, glassworks: { confidence: true } } : {};
  return JSON.parse(JSON.stringify({ model, messages, temperature, max_tokens: most ?? undefined, ...probabilities, stream: true, stream_options: { include_usage: true } }));
}

/**
 * @param {Turn[]} turns
 * @param {string} system
 */
function messagesOf(turns, system) {
  const said = turns.map(({ role, content }) => ({ role: /** @type {string} */ (role), content }));
  return system.trim() ? [{ role: "system", content: system }, ...said] : said;
}

/**
 * @param {any} body
 * @param {AbortSignal} signal
 * @param {(turn: Turn) => void} changed
 */
async function answer(body, signal, changed) {
  /** @type {Turn} */
  let turn = { role: "assistant", content: "", tokens: [] };
  let first = 0;
  for await (const part of streamed(PATH, body, signal)) {
    const [choice] = part.choices;
    if (choice?.delta?.content) {
      first ||= performance.now();
      turn = { ...turn, content: turn.content + choice.delta.content, tokens: [...(turn.tokens ?? []), ...(choice.logprobs?.content ?? [])] };
    }
    if (choice?.finish_reason === "length") turn = { ...turn, note: t("try.chat.length") };
    const sure = choice?.glassworks?.confidence;
    if (sure && sure.value !== null) turn = { ...turn, note: [turn.note, t("try.chat.confidence", { share: percent(sure.value, 0), n: sure.examples })].filter(Boolean).join(" ") };
    if (part.usage) {
      const seconds = (performance.now() - first) / 1000;
      const rate = part.usage.completion_tokens > 1 ? number((part.usage.completion_tokens - 1) / seconds, 1) : "–";
      const used = t("try.chat.used", { prompt: part.usage.prompt_tokens, tokens: part.usage.completion_tokens, rate });
      turn = { ...turn, note: turn.note ? `${used} ${turn.note}` : used };
    }
    changed(turn);
  }
}

/** @param {{turns: Turn[], sure: boolean, busy: boolean, onWhy: ((at: number) => void) | null}} props */
function Turns({ turns, sure, busy, onWhy }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [turns]);
  if (!turns.length) return html`<p class="muted">${t("try.chat.first")}</p>`;
  return html`<div class="talk" ref=${box} role="log" aria-label=${t("try.chat")} aria-busy=${busy ? "true" : "false"} tabindex="0">
    ${turns.map(
      (turn, at) => html`<div key=${at} class=${`turn ${turn.role}`}>
        <span class="unseen">${t(`try.chat.${turn.role}`)}</span>
        <p>${sure && turn.tokens?.length ? html`<${Shaded} tokens=${turn.tokens} />` : turn.content || "…"}</p>
        ${turn.note && html`<p class="muted number">${turn.note}</p>`}
        ${onWhy && !busy && turn.role === "assistant" && turn.content.trim() && html`<${Button} kind="quiet" icon="search" onClick=${() => onWhy(at)}>${t("try.chat.why.ask")}<//>`}
      </div>`,
    )}
  </div>
  ${sure && html`<p class="hint">${t("try.chat.shaded")}</p>`}`;
}

/** @param {{tokens: Token[]}} props The less sure, the darker. */
function Shaded({ tokens }) {
  return tokens.map(({ token, logprob, top_logprobs: top }, at) => {
    const share = Math.exp(logprob);
    const others = top?.map((each) => `${each.token.trim() || "␣"} ${percent(Math.exp(each.logprob), 0)}`).join(" · ");
    return html`<span key=${at} class=${share < 0.5 ? "token unsure" : "token"} style=${{ "--shade": `${Math.round(60 * (1 - share))}%` }} title=${others || percent(share, 0)}>${token}</span>`;
  });
}

/** @param {{busy: boolean, onSend: (text: string) => void, onStop: () => void}} props */
function Write({ busy, onSend, onStop }) {
  const [text, setText] = useState("");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy || !text.trim()) return;
    onSend(text);
    setText("");
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form onSubmit=${submit} onKeyDown=${key}>
    <${TextArea} label=${t("try.chat.message")} hint=${t("try.chat.hint")} rows=${2} value=${text} onInput=${setText} />
    <div class="actions">
      ${busy ? html`<${Button} icon="stop" onClick=${onStop}>${t("try.chat.stop")}<//>` : html`<${Button} kind="primary" type="submit" icon="play" disabled=${!text.trim()}>${t("try.chat.send")}<//>`}
    </div>
  </form>`;
}

/** @param {{how: How, onHow: (how: How) => void}} props */
function Settings({ how, onHow }) {
  return html`<${CheckField} label=${t("try.chat.sure")} hint=${t("try.chat.sure.hint")} value=${how.sure} onInput=${(/** @type {boolean} */ sure) => onHow({ ...how, sure })} />
    <details>
      <summary>${t("try.chat.settings")}</summary>
      <${TextArea} label=${t("try.chat.system")} rows=${2} value=${how.system} onInput=${(/** @type {string} */ system) => onHow({ ...how, system })} />
      <div class="fields">
        <${SliderField} label=${t("try.chat.temperature")} hint=${t("try.chat.temperature.hint")} value=${how.temperature} min=${0} max=${2} step=${0.1} show=${(/** @type {number} */ value) => number(value, 1)} onInput=${(/** @type {number} */ temperature) => onHow({ ...how, temperature })} />
        <${NumberField} label=${t("try.chat.most")} value=${how.most} onInput=${(/** @type {number | null} */ most) => onHow({ ...how, most })} whole min=${1} />
      </div>
    </details>`;
}
