/** A text whose parts are shaded by what each said for an answer (orange) or against it (blue). */
import { number } from "../format.js";
import { html } from "../view.js";

/** @param {{parts: {text: string, weight: number}[], label: string}} props Strong parts are underlined, too. */
export function ShadedText({ parts, label }) {
  const most = Math.max(...parts.map((each) => Math.abs(each.weight)), 1e-12);
  return html`<p class="shaded" aria-label=${label} role="group">
    ${parts.map(({ text, weight }, at) => {
      const share = Math.abs(weight) / most;
      const look = `${weight < 0 ? "against" : "for"} ${share > 0.5 ? "strong" : ""}`;
      return html`<span key=${at} class=${look} style=${{ "--shade": `${Math.round(share * 50)}%` }} title=${number(weight)}>${text}</span>`;
    })}
  </p>`;
}
