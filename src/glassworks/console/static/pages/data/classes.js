/** How many examples each class has, and whether they are out of balance. */
import { Bars } from "../../components/bars.js";
import { Button } from "../../components/button.js";
import { number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../view.js";

const FIRST = 12;
const UNEVEN = 3;
const FEW = 10;

/** @param {{classes: {name: string, examples: number}[]}} props */
export function Classes({ classes }) {
  const [all, setAll] = useState(false);
  const sorted = [...classes].sort((one, other) => other.examples - one.examples);
  const total = sorted.reduce((sum, each) => sum + each.examples, 0);
  const [most, least] = [sorted[0], sorted[sorted.length - 1]];
  const times = least.examples ? most.examples / least.examples : Infinity;
  const shown = all || sorted.length <= FIRST + 2 ? sorted : [...sorted.slice(0, FIRST - 2), ...sorted.slice(-2)];
  const rows = shown.map((each) => ({
    label: html`<span class="cut" title=${each.name}>${each.name}</span>`, value: each.examples,
    note: total ? percent(each.examples / total, 0) : "", marked: each.examples < FEW,
  }));
  return html`<p class=${times >= UNEVEN ? "warn" : "muted"}>
      ${times >= UNEVEN ? t("data.classes.uneven", { most: most.name, least: least.name, times: number(Math.round(times * 10) / 10) }) : t("data.classes.even")}
    </p>
    <div class="class-bars"><${Bars} label=${t("data.classes")} rows=${rows} format=${(/** @type {number} */ value) => number(value)} /></div>
    ${shown.length < sorted.length && html`<p><${Button} kind="quiet" icon="down" onClick=${() => setAll(true)}>${t("data.classes.all", { n: sorted.length })}<//></p>`}`;
}
