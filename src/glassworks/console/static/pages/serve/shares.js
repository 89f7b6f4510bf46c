/** How the requests of a model are split, as a bar and in words. */
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";

const COLORS = 6;

/** @param {string | number} version */
export const colorOf = (version) => `var(--series-${(Number(version) % COLORS) + 1})`;

/** @param {{[version: string]: number}} shares The largest first. */
export const ordered = (shares) => Object.entries(shares).sort(([a, x], [b, y]) => y - x || Number(b) - Number(a));

/** @param {{shares: {[version: string]: number}}} props */
export function ShareBar({ shares }) {
  const alone = Object.values(shares).filter((share) => share > 0).length < 2; // nothing to tell apart by colors
  return html`<span class="share-bar" role="img" aria-label=${inWords(shares)} title=${inWords(shares)}>
    ${ordered(shares).map(([version, share]) => share > 0 && html`<i key=${version} style=${{ width: `${share}%`, background: alone ? "var(--muted)" : colorOf(version) }}><span>${share >= 12 ? t("serve.short", { version, share: number(share) }) : ""}</span></i>`)}
  </span>`;
}

/** @param {{[version: string]: number}} shares */
export function inWords(shares) {
  const found = ordered(shares).filter(([, share]) => share > 0);
  if (!found.length) return t("serve.nobody");
  if (found.length === 1) return t("serve.whole", { version: found[0][0] });
  return found.map(([version, share]) => t("serve.part", { version, share: number(share) })).join(t("serve.and"));
}

/**
 * A split in whole words, with its shadow and its champion.
 * @param {{shares: {[version: string]: number}, shadow: number | null, champion: number | null}} split
 */
export function sentence({ shares, shadow, champion }) {
  return [
    t("serve.sentence", { split: inWords(shares) }),
    shadow !== null && t("serve.sentence.shadow", { version: shadow }),
    champion !== null && t("serve.sentence.champion", { version: champion }),
  ].filter(Boolean).join(" ");
}

/**
 * Whether two are the same.
 * @param {{shares: {[version: string]: number}, shadow: number | null, champion: number | null}} a
 * @param {{shares: {[version: string]: number}, shadow: number | null, champion: number | null}} b
 */
export function same(a, b) {
  const parts = (/** @type {{[version: string]: number}} */ shares) => JSON.stringify(ordered(shares).filter(([, share]) => share > 0));
  return parts(a.shares) === parts(b.shares) && a.shadow === b.shadow && a.champion === b.champion;
}

/**
 * The shares after one of them was moved: the others keep their ratio, and all are whole and add up to 100.
 * @param {{[version: string]: number}} shares
 * @param {string} moved
 * @param {number} share
 */
export function rebalanced(shares, moved, share) {
  const others = Object.keys(shares).filter((each) => each !== moved);
  if (!others.length) return { [moved]: 100 };
  const before = others.reduce((sum, each) => sum + shares[each], 0);
  const rest = 100 - share;
  const exact = others.map((each) => (before ? (shares[each] / before) * rest : rest / others.length));
  const whole = exact.map(Math.floor);
  const order = exact.map((each, at) => ({ at, part: each - whole[at] })).sort((a, b) => b.part - a.part);
  for (let left = rest - whole.reduce((sum, each) => sum + each, 0), next = 0; left > 0; left--, next++) whole[order[next % order.length].at]++;
  return { ...shares, [moved]: share, ...Object.fromEntries(others.map((each, at) => [each, whole[at]])) };
}
