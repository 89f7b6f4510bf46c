/** Numbers as bars beside each other, with the interval in which each lies where it is known. */
import { number } from "../format.js";
import { html } from "../view.js";

/**
 * @typedef {{label: any, value: number, interval?: [number, number] | null, note?: any, marked?: boolean}} Bar
 */

/** @param {{rows: Bar[], label: string, format?: (value: number) => string, most?: number}} props */
export function Bars({ rows, label, format = number, most }) {
  const top = most ?? (Math.max(...rows.map((each) => Math.max(Math.abs(each.value), each.interval?.[1] ?? 0)), 0) || 1);
  const width = (/** @type {number} */ value) => `${Math.max(0, Math.min(100, (100 * value) / top))}%`;
  return html`<table class="bars" aria-label=${label}>
    <tbody>
      ${rows.map(
        (each, at) => html`<tr key=${at} class=${each.marked ? "marked" : ""}>
          <th scope="row">${each.label}</th>
          <td class="track">
            <span class=${each.value < 0 ? "bar negative" : "bar"} style=${{ width: width(Math.abs(each.value)) }}></span>
            ${each.interval && html`<span class="whisker" style=${{ left: width(each.interval[0]), width: `calc(${width(each.interval[1])} - ${width(each.interval[0])})` }}></span>`}
          </td>
          <td class="number">${format(each.value)}${each.note && html` <span class="muted">${each.note}</span>`}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
