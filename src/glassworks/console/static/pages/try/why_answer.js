/** Why a chat's answer: its words, each with its probability and what else could have stood there; whoever points at one
 * sees what was said shaded by what it did for that word. */
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Loaded } from "../../components/notices.js";
import { milliseconds, number, percent } from "../../format.js";
import { language, t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { spoken } from "../../service_texts.js";
import { classes, html, useMemo, useRef, useState } from "../../view.js";
import { explain, output, parsed, texts } from "./asking.js";
import { GradeLine } from "./grade.js";

/** @typedef {{token: string, start: number, end: number, probability: number, runners_up: {token: string, probability: number}[]}} Token */
/** @typedef {{item: string, message?: number, role?: string}} Part */
/** @typedef {{text: string, start: number, end: number, spoken: boolean}} Word Its characters, and whether it is more than a space or a point. */
/** @typedef {{parts: Part[], whole: number[], byWord: number[][], tokens: Token[], notes: string[], answer: import("./asking.js").Answer}} Why */

const MOST_WORDS = 256; // Of an answer that can be pointed at: the service takes as many spans.
const ROWS = 100; // Variants that are computed; more words than that are joined.
const STRONG = 0.5;
const OTHERS = 3;

/** @param {{model: import("./asking.js").Model, messages: {role: string, content: string}[], content: string, onClose: () => void}} props */
export function WhyAnswer({ model, messages, content, onClose }) {
  const words = useMemo(() => wordsOf(content), [content]);
  const key = JSON.stringify([model.name, model.version, messages, content]);
  /** @type {import("../../resource.js").Resource<Why>} */
  const found = useLoaded((signal) => ask(model, messages, content, words, signal), key);
  return html`<${Card} title=${t("try.chat.why")} actions=${html`<${Button} kind="quiet" icon="close" onClick=${onClose}>${t("try.chat.why.close")}<//>`}>
    <${Loaded} of=${found}>${(/** @type {Why} */ why) => html`<${Shown} why=${why} words=${words} />`}<//>
  <//>`;
}

/**
 * @param {import("./asking.js").Model} model
 * @param {{role: string, content: string}[]} messages
 * @param {string} content
 * @param {Word[]} words
 * @param {AbortSignal} signal
 * @returns {Promise<Why>}
 */
async function ask(model, messages, content, words, signal) {
  const spans = words.filter((word) => word.spoken).map(({ start, end }) => [start, end]);
  const how = { messages: JSON.stringify(messages), answer: content, spans: JSON.stringify(spans), budget_rows: ROWS };
  const answer = await explain(model, texts(model, ""), /** @type {any} */ (how), signal);
  const details = JSON.parse(answer.parameters?.details ?? "{}");
  return {
    answer,
    parts: (output(answer, "names")?.data ?? []).map(parsed),
    whole: output(answer, "attributions")?.data ?? [],
    byWord: details.span_values ?? [],
    tokens: details.tokens ?? [],
    notes: details.notes ?? [],
  };
}

/**
 * The words of a text in any language; positions count characters, not halves of them.
 * @param {string} text
 * @returns {Word[]}
 */
function wordsOf(text) {
  let at = 0, spoken = 0;
  return [...new Intl.Segmenter(language.value, { granularity: "word" }).segment(text)].map(({ segment, isWordLike }) => {
    const word = { text: segment, start: at, end: (at += Array.from(segment).length), spoken: !!isWordLike && spoken < MOST_WORDS };
    spoken += Number(word.spoken);
    return word;
  });
}

/** @param {{why: Why, words: Word[]}} props */
function Shown({ why, words }) {
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const [kept, setKept] = useState(/** @type {number | null} */ (null));
  const pointable = words.filter((word) => word.spoken);
  const at = pointed ?? kept;
  const values = (at === null ? null : why.byWord[at]) ?? why.whole;
  const token = at === null ? null : tokenOf(pointable[at], why.tokens);
  return html`<p class="hint">${t("try.chat.why.how")}</p>
    <${Answer} words=${words} tokens=${why.tokens} at=${at} kept=${kept} onPoint=${setPointed} onKeep=${setKept} />
    <p class="why-said" aria-live="polite">${at === null ? t("try.chat.why.whole") : wordSaid(pointable[at].text, token)}</p>
    <${Prompt} parts=${why.parts} values=${values} />
    <ul class="legend">
      <li><i class="swatch" style=${{ background: "var(--for)" }}></i>${t("try.chat.why.for")}</li>
      <li><i class="swatch" style=${{ background: "var(--against)" }}></i>${t("try.chat.why.against")}</li>
    </ul>
    ${why.answer.parameters?.faithfulness_z === undefined ? html`<p class="muted">${t("try.chat.why.ungraded")}</p>` : html`<${GradeLine} answer=${why.answer} />`}
    ${why.notes.map((note, index) => html`<p key=${index} class="hint">${spoken(note)}</p>`)}
    <p class="hint number">${t("try.chat.why.cost", { rows: why.answer.parameters?.forward, time: milliseconds(why.answer.parameters?.milliseconds) })}</p>`;
}

/**
 * What of an answer stands in a word: the least probable of its tokens.
 * @param {Word} word
 * @param {Token[]} tokens
 */
function tokenOf(word, tokens) {
  const inside = tokens.filter((each) => each.start < word.end && each.end > word.start);
  return inside.reduce((/** @type {Token | null} */ least, each) => (!least || each.probability < least.probability ? each : least), null);
}

/**
 * @param {string} word
 * @param {Token | null} token
 */
function wordSaid(word, token) {
  if (!token) return t("try.chat.why.word", { word });
  const others = token.runners_up.slice(0, OTHERS).map((each) => `“${each.token.trim() || "␣"}” ${percent(each.probability, 0)}`).join(" · ");
  return t("try.chat.why.sure", { word, share: percent(token.probability, 0), others });
}

/**
 * The words of the answer as one stop of the tab key, within which arrows move.
 * @param {{words: Word[], tokens: Token[], at: number | null, kept: number | null, onPoint: (at: number | null) => void, onKeep: (at: number | null) => void}} props
 */
function Answer({ words, tokens, at, kept, onPoint, onKeep }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [stop, setStop] = useState(0);
  const move = (/** @type {KeyboardEvent} */ event) => {
    const buttons = [...(box.current?.querySelectorAll("button") ?? [])];
    const now = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const steps = /** @type {{[key: string]: number}} */ ({ ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 });
    if (event.key === "Escape") onKeep(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, steps[event.key]))]?.focus();
  };
  let number = -1;
  return html`<p class="answer-words" role="group" aria-label=${t("try.chat.assistant")} ref=${box} onKeyDown=${move} onMouseLeave=${() => onPoint(null)}>
    ${words.map((word, index) => {
      if (!word.spoken) return html`<span key=${index}>${word.text}</span>`;
      const mine = ++number;
      const token = tokenOf(word, tokens);
      return html`<button key=${index} type="button" class=${classes("word", at === mine && "pointed-at", token && token.probability < STRONG && "unsure")}
        style=${{ "--shade": `${Math.round(60 * (1 - (token?.probability ?? 1)))}%` }} tabindex=${mine === stop ? 0 : -1} aria-pressed=${kept === mine ? "true" : "false"}
        onMouseEnter=${() => onPoint(mine)} onFocus=${() => (setStop(mine), onPoint(mine))} onBlur=${() => onPoint(null)} onClick=${() => onKeep(kept === mine ? null : mine)}>${word.text}</button>`;
    })}
  </p>`;
}

/** What was said, turn by turn, each part shaded by its value. @param {{parts: Part[], values: number[]}} props */
function Prompt({ parts, values }) {
  const most = Math.max(...values.map(Math.abs), 1e-9);
  /** @type {{role: string, message: number | undefined, inside: {text: string, value: number}[]}[]} */
  const turns = [];
  parts.forEach((part, index) => {
    const last = turns[turns.length - 1];
    const one = { text: part.item, value: values[index] ?? 0 };
    if (last && last.message === part.message) last.inside.push(one);
    else turns.push({ role: part.role ?? "", message: part.message, inside: [one] });
  });
  return html`<dl class="turns">${turns.map(
    ({ role, inside }, index) => html`<div key=${index}>
      <dt>${role ? t(`try.chat.role.${role}`) : ""}</dt>
      <dd class="shaded">${inside.map(({ text, value }, place) => {
        const share = Math.abs(value) / most;
        return html`<span key=${place} class=${classes(value < 0 ? "against" : "for", share > STRONG && "strong")} style=${{ "--shade": `${Math.round(share * 55)}%` }} title=${number(value, 2)}>${text}</span>`;
      })}</dd>
    </div>`,
  )}</dl>`;
}
