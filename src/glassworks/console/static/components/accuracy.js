/** How often a classifier is right, in words, with how sure that is. */
import { number } from "../format.js";
import { t } from "../i18n.js";
import { html } from "../view.js";

const WIDE = 0.1;

/** @param {number} share Of 1; near both ends with a digit more, since 99.6 is not 100. */
const ofHundred = (share) => number(100 * share, share > 0 && share < 1 && Math.abs(share - 0.5) > 0.49 ? 1 : 0);

/** One sentence or two; nothing for models that are measured in another way. @param {{metrics?: import("../types").Metrics}} props */
export function Accuracy({ metrics }) {
  const found = metrics?.accuracy;
  if (!found) return null;
  const { value, interval, examples: n } = found;
  const wide = interval && interval[1] - interval[0] > WIDE;
  const words = interval && { n, low: ofHundred(interval[0]), high: ofHundred(interval[1]) };
  return html`<p class="sentence-of-goal">${t("accuracy.right", { right: ofHundred(value) })}${n && words ? ` ${t(wide ? "accuracy.unsure" : "accuracy.sure", words)}` : ""}</p>`;
}
