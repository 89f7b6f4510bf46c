/** Text of a program or a file: to read and copy, or to write with its problems marked at their lines. */
import { t } from "../i18n.js";
import { classes, html, useRef, useState } from "../view.js";
import { Button } from "./button.js";

/** @param {{text: string, label: string, wrap?: boolean}} props */
export function CodeBlock({ text, label, wrap }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<div class="code-block">
    <pre class=${classes(wrap && "wrap")} tabindex="0" role="region" aria-label=${label}><code>${text}</code></pre>
    <${Button} kind="quiet" icon=${copied ? "check" : "copy"} label=${copied ? t("action.copied") : t("action.copy")} onClick=${copy} />
  </div>`;
}

/**
 * Into the clipboard, also where the page came over plain HTTP.
 * @param {string} text
 */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  return undefined;
}

/**
 * @param {{
 *   value: string, onInput: (value: string) => void, label: string, faults?: import("../types").Fault[], rows?: number,
 * }} props
 */
export function CodeArea({ value, onInput, label, faults = [], rows = 18 }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const gutter = useRef(/** @type {HTMLElement | null} */ (null));
  const wrong = new Set(faults.map((each) => each.line).filter(Boolean));
  const lines = value.split("\n").length;
  const scroll = () => {
    if (gutter.current && area.current) gutter.current.style.transform = `translateY(${-area.current.scrollTop}px)`;
  };
  return html`<div class="code-area">
    <div class="gutter" aria-hidden="true">
      <div ref=${gutter}>${Array.from({ length: lines }, (_, at) => html`<span key=${at} class=${wrong.has(at + 1) ? "wrong" : ""}>${at + 1}</span>`)}</div>
    </div>
    <textarea
      ref=${area}
      rows=${rows}
      wrap="off"
      spellcheck="false"
      autocapitalize="off"
      autocomplete="off"
      aria-label=${label}
      aria-invalid=${wrong.size ? "true" : null}
      value=${value}
      onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)}
      onScroll=${scroll}
    ></textarea>
  </div>`;
}
