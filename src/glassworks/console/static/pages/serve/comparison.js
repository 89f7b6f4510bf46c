/** How the versions that answer do beside each other, in numbers and in words. */
import { Card } from "../../components/heading.js";
import { milliseconds, number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";
import { chanceOf } from "./chance.js";
import { colorOf } from "./shares.js";

/** @typedef {import("../../types").ServedVersion} Served */

const FEW = 20;
const FEW_TIMES = 100;

/** @param {{deployment: import("../../types").Deployment}} props */
export function Comparison({ deployment }) {
  const { served, shares, champion, shadow } = deployment;
  return html`<${Card} title=${t("serve.comparison")} lead=${t("serve.comparison.lead")}>
    <div class="table" tabindex="0" role="region" aria-label=${t("serve.comparison")}>
      <table>
        <thead><tr>
          <th scope="col">${t("serve.column.version")}</th><th scope="col" class="number">${t("serve.column.share")}</th><th scope="col" class="number">${t("serve.column.requests")}</th>
          <th scope="col" class="number">${t("serve.column.errors")}</th><th scope="col" class="number">${t("serve.column.p50")}</th><th scope="col" class="number">${t("serve.column.p99")}</th>
        </tr></thead>
        <tbody>
          ${served.map((each) => html`<tr key=${each.version}>
            <td><i class="swatch" style=${{ background: colorOf(each.version), display: "inline-block" }}></i> ${each.version}</td>
            <td class="number">${shares[each.version] ? `${number(shares[each.version])} %` : Number(each.version) === shadow ? t("serve.shadow.tag") : "–"}</td>
            <td class="number">${number(each.requests)}</td>
            <td class=${each.errors ? "number bad" : "number"}>${number(each.errors)}${each.requests ? ` (${percent(each.errors / each.requests, 2)})` : ""}</td>
            <td class="number">${milliseconds(each.p50_ms)}</td>
            <td class="number">${milliseconds(each.p99_ms)}</td>
          </tr>`)}
        </tbody>
      </table>
    </div>
    <ul class="said">${verdicts(served, champion, shares).map((each) => html`<li key=${each}>${each}</li>`)}
      ${served.filter((each) => each.shadow_compared > 0).map((each) => html`<li key=${`shadow ${each.version}`}>${t("serve.shadow.said", { version: each.version, compared: number(each.shadow_compared), differed: number(each.shadow_differed), share: percent(each.shadow_differed / each.shadow_compared, 2) })}</li>`)}
    </ul>
  <//>`;
}

/**
 * Each version that answers against the champion, else against the one with most requests.
 * @param {Served[]} served
 * @param {number | null} champion
 * @param {{[version: string]: number}} shares What a shadow computes is nobody's request.
 */
function verdicts(served, champion, shares) {
  const answered = served.filter((each) => each.requests > 0 && shares[each.version]);
  const base = answered.find((each) => Number(each.version) === champion) ?? [...answered].sort((a, b) => b.requests - a.requests)[0];
  if (answered.length < 2 || !base) return [];
  return answered.filter((each) => each !== base).flatMap((each) => [failing(each, base), speed(each, base)]);
}

/**
 * Whether one fails more often than the other, or whether chance may have done it.
 * @param {Served} one
 * @param {Served} base
 */
function failing(one, base) {
  const words = { a: one.version, b: base.version, x: percent(one.errors / one.requests, 2), y: percent(base.errors / base.requests, 2) };
  if (Math.min(one.requests, base.requests) < FEW) return t("serve.errors.few", words);
  if (one.errors + base.errors === 0) return t("serve.errors.none", words);
  const chance = chanceOf(one, base);
  if (chance > 0.05) return t("serve.errors.alike", words);
  const more = one.errors / one.requests > base.errors / base.requests;
  return t(`serve.errors.${more ? "more" : "fewer"}.${chance < 0.001 ? "sure" : "likely"}`, words);
}

/** @param {Served} one @param {Served} base */
function speed(one, base) {
  if (one.p50_ms === null || base.p50_ms === null || Math.min(one.requests, base.requests) < FEW_TIMES) return t("serve.speed.few", { a: one.version, b: base.version });
  const ratio = one.p50_ms / base.p50_ms;
  if (ratio > 0.9 && ratio < 1.1) return t("serve.speed.alike", { a: one.version, b: base.version });
  return t(ratio > 1 ? "serve.speed.slower" : "serve.speed.faster", { a: one.version, b: base.version, times: number(ratio > 1 ? ratio : 1 / ratio, 1) });
}
