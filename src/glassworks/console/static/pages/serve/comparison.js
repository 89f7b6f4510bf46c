/** How the versions that answer do beside each other, in numbers and in words. */
import { Card } from "../../components/heading.js";
import { milliseconds, number, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";
import { colorOf } from "./shares.js";

/** @typedef {import("../../types").ServedVersion} Served */

/** @param {{deployment: import("../../types").Deployment}} props */
export function Comparison({ deployment }) {
  const { served, shares, champion, shadow } = deployment;
  return html`<${Card} title=${t("serve.comparison")} lead=${t("serve.comparison.lead")}>
    <div class="table" tabindex="0" role="region" aria-label=${t("serve.comparison")}>
      <table>
        <thead><tr>
          <th scope="col">${t("serve.column.version")}</th><th scope="col" class="number">${t("serve.column.share")}</th><th scope="col" class="number">${t("serve.column.requests")}</th>
          <th scope="col" class="number">${t("serve.column.errors")}</th><th scope="col" class="number">p50</th><th scope="col" class="number">p99</th>
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
    <ul class="said">${verdicts(served, champion).map((each) => html`<li key=${each}>${each}</li>`)}
      ${served.filter((each) => each.shadow_compared > 0).map((each) => html`<li key=${`shadow ${each.version}`}>${t("serve.shadow.said", { version: each.version, compared: number(each.shadow_compared), differed: number(each.shadow_differed), share: percent(each.shadow_differed / each.shadow_compared, 2) })}</li>`)}
    </ul>
  <//>`;
}

/**
 * Each version against the champion, else against the one with most requests.
 * @param {Served[]} served
 * @param {number | null} champion
 */
function verdicts(served, champion) {
  const answered = served.filter((each) => each.requests > 0);
  const base = answered.find((each) => Number(each.version) === champion) ?? [...answered].sort((a, b) => b.requests - a.requests)[0];
  if (answered.length < 2 || !base) return [];
  return answered.filter((each) => each !== base).flatMap((each) => [failing(each, base), speed(each, base)]);
}

/**
 * Whether one fails more often than the other: the exact test of Fisher is near to this one with pooled shares where
 * both have some errors; with fewer than five expected nothing is claimed.
 * @param {Served} one
 * @param {Served} base
 */
function failing(one, base) {
  const all = one.requests + base.requests;
  const pooled = (one.errors + base.errors) / all;
  const words = { a: one.version, b: base.version, x: percent(one.errors / one.requests, 2), y: percent(base.errors / base.requests, 2) };
  if (one.errors + base.errors === 0 && Math.min(one.requests, base.requests) >= 100) return t("serve.errors.none", words);
  if (pooled * Math.min(one.requests, base.requests) < 5) return t("serve.errors.few", words);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / one.requests + 1 / base.requests));
  const z = spread ? (one.errors / one.requests - base.errors / base.requests) / spread : 0;
  if (Math.abs(z) < 1.96) return t("serve.errors.alike", words);
  const sure = Math.abs(z) >= 3.3 ? "sure" : "likely";
  return t(`serve.errors.${z > 0 ? "more" : "fewer"}.${sure}`, words);
}

/** @param {Served} one @param {Served} base */
function speed(one, base) {
  if (one.p50_ms === null || base.p50_ms === null || Math.min(one.requests, base.requests) < 100) return t("serve.speed.few", { a: one.version, b: base.version });
  const ratio = one.p50_ms / base.p50_ms;
  if (ratio > 0.9 && ratio < 1.1) return t("serve.speed.alike", { a: one.version, b: base.version });
  return t(ratio > 1 ? "serve.speed.slower" : "serve.speed.faster", { a: one.version, b: base.version, times: number(ratio > 1 ? ratio : 1 / ratio, 1) });
}
