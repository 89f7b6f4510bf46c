/** The candidates as points: what is minimized across, the metric upwards; what the limits forbid is shaded. */
import { t } from "../../i18n.js";
import { classes, html, useEffect, useMemo, useRef, useState } from "../../view.js";
import { boundOf, broken, limitOf } from "./choice.js";
import { isHigherBetter } from "./found.js";
import { nameOf, shown } from "./words.js";

/** @typedef {import("./found.js").Candidate} Candidate */
/** @typedef {import("./found.js").Found} Found */

const HEIGHT = 340;
const EDGE = { left: 84, right: 24, top: 18, bottom: 52 };

/**
 * @param {{found: Found, x: string, y: string, within: string[], picked: string, onPick: (name: string) => void}} props
 */
export function TradeOff({ found, x, y, within, picked, onPick }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(640);
  useEffect(() => {
    if (!box.current) return undefined;
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(280, Math.round(entry.contentRect.width))));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const reference = found.candidates.find((each) => each.name === found.reference);
  const points = found.candidates.filter((each) => each.values[x] !== undefined && each.values[y] !== undefined);
  const bounds = within.flatMap((text) => {
    const limit = limitOf(text);
    return (limit && boundOf(limit, reference)) ?? [];
  });
  const [across, up] = useMemo(() => [scaleOf(points, x, bounds, EDGE.left, width - EDGE.right), scaleOf(points, y, bounds, HEIGHT - EDGE.bottom, EDGE.top)], [found, x, y, width, within.join()]);
  const spots = useMemo(() => spread(points.map((each) => ({ candidate: each, x: across.at(each.values[x]), y: up.at(each.values[y]) })), width, found.chosen), [across, up, found.chosen]);
  return html`<figure class="trade-off" ref=${box}>
    <svg viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT} role="group" aria-label=${t("optimize.picture", { x: nameOf(x), y: nameOf(y) })}>
      ${bounds.map((bound, at) => html`<${Forbidden} key=${at} bound=${bound} x=${x} y=${y} across=${across} up=${up} width=${width} />`)}
      <${Axes} across=${across} up=${up} x=${x} y=${y} width=${width} />
      ${spots.map((spot) => html`<${Point} key=${spot.candidate.name} ...${spot} quantities=${[x, y]} chosen=${spot.candidate.name === found.chosen} picked=${spot.candidate.name === picked}
        breaks=${broken(spot.candidate, within, reference).length > 0} onPick=${onPick} />`)}
    </svg>
    <figcaption><ul class="legend">
      ${found.chosen && html`<li><i class="swatch chosen"></i>${t("optimize.legend.chosen")}</li>`}
      <li><i class="swatch open"></i>${t("optimize.legend.breaks")}</li>
      ${bounds.length > 0 && html`<li><i class="swatch forbidden"></i>${t("optimize.legend.forbidden")}</li>`}
    </ul></figcaption>
  </figure>`;
}

/** @typedef {{at: (value: number) => number, ticks: number[], least: number, most: number}} Scale */

/**
 * From the least to the greatest value with room around; of what is spread over more than ten times, its logarithm.
 * @param {Candidate[]} points
 * @param {string} quantity
 * @param {{quantity: string, most?: number, least?: number}[]} bounds Those near the points are in the picture.
 * @param {number} from
 * @param {number} to
 * @returns {Scale}
 */
function scaleOf(points, quantity, bounds, from, to) {
  const own = points.map((each) => each.values[quantity]);
  const [low, high] = [Math.min(...own, Infinity), Math.max(...own, -Infinity)];
  const near = bounds.filter((each) => each.quantity === quantity).map((each) => each.most ?? each.least ?? 0).filter((each) => each > low / 4 && each < high * 4);
  const values = [...own, ...near].filter(Number.isFinite);
  let [least, most] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const logarithmic = least > 0 && most / least > 10;
  const turn = logarithmic ? Math.log : (/** @type {number} */ value) => value;
  const room = (turn(most) - turn(least)) * 0.12 || Math.abs(turn(most)) * 0.02 || 1;
  const [begin, end] = [turn(least) - room, turn(most) + room];
  [least, most] = logarithmic ? [Math.exp(begin), Math.exp(end)] : [begin, end];
  const at = (/** @type {number} */ value) => from + ((turn(value) - begin) / (end - begin)) * (to - from);
  return { at, least, most, ticks: logarithmic ? decades(least, most) : steps(least, most) };
}

/** @param {number} least @param {number} most */
function steps(least, most) {
  const rough = (most - least) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  return Array.from({ length: 12 }, (_, at) => (Math.ceil(least / step) + at) * step).filter((each) => each <= most);
}

/** @param {number} least @param {number} most */
function decades(least, most) {
  const begin = Math.floor(Math.log10(least));
  const all = Array.from({ length: Math.ceil(Math.log10(most)) - begin + 1 }, (_, at) => 10 ** (begin + at));
  const fine = most / least > 1000 ? all : all.flatMap((each) => [each, 3 * each]);
  return fine.filter((each) => each >= least && each <= most);
}

/** @typedef {{x: number, y: number, anchor: string}} Label Where a name begins, ends or has its middle, from its point. */
/** @typedef {{candidate: Candidate, x: number, y: number, label: Label | null}} Spot */
/** @type {Label[]} */
const LABELS = [{ x: 14, y: 4, anchor: "start" }, { x: -14, y: 4, anchor: "end" }, { x: 0, y: -17, anchor: "middle" }, { x: 0, y: 25, anchor: "middle" }];
const LETTER = 6.5;

/**
 * Points that would lie on each other stand beside each other; a name is written where nothing else is, the chosen one's first.
 * @param {{candidate: Candidate, x: number, y: number}[]} spots
 * @param {number} width
 * @param {string} chosen
 */
function spread(spots, width, chosen) {
  /** @type {Spot[]} */
  const found = [];
  for (const spot of spots) {
    let x = spot.x;
    while (found.some((each) => Math.abs(each.x - x) < 14 && Math.abs(each.y - spot.y) < 14)) x += 15;
    found.push({ ...spot, x, label: null });
  }
  const taken = found.map(({ x, y }) => ({ left: x - 12, right: x + 12, top: y - 9, bottom: y + 9 }));
  for (const spot of [...found].sort((a, b) => Number(b.candidate.name === chosen) - Number(a.candidate.name === chosen))) {
    for (const label of LABELS) {
      const box = boxOf(spot, label);
      const free = box.left > EDGE.left - 10 && box.right < width && box.top > 0 && !taken.some((each) => each.left < box.right && each.right > box.left && each.top < box.bottom && each.bottom > box.top);
      if (!free) continue;
      spot.label = label;
      taken.push(box);
      break;
    }
  }
  return found;
}

/** @param {Spot} spot @param {Label} label */
function boxOf(spot, label) {
  const length = LETTER * spot.candidate.name.length;
  const left = spot.x + label.x - length * { start: 0, middle: 0.5, end: 1 }[/** @type {"start" | "middle" | "end"} */ (label.anchor)];
  const bottom = spot.y + label.y;
  return { left, right: left + length, top: bottom - 11, bottom };
}

/** @param {{bound: {quantity: string, most?: number, least?: number}, x: string, y: string, across: Scale, up: Scale, width: number}} props */
function Forbidden({ bound, x, y, across, up, width }) {
  const value = bound.most ?? bound.least ?? 0;
  const over = bound.most !== undefined;
  if (bound.quantity === x) {
    const at = Math.max(EDGE.left, Math.min(width - EDGE.right, across.at(value)));
    const [from, to] = over ? [at, width - EDGE.right] : [EDGE.left, at];
    return html`<rect class="forbidden" x=${from} y=${EDGE.top} width=${Math.max(0, to - from)} height=${HEIGHT - EDGE.top - EDGE.bottom} />`;
  }
  if (bound.quantity === y) {
    const at = Math.max(EDGE.top, Math.min(HEIGHT - EDGE.bottom, up.at(value)));
    const [from, to] = over ? [EDGE.top, at] : [at, HEIGHT - EDGE.bottom];
    return html`<rect class="forbidden" x=${EDGE.left} y=${from} width=${width - EDGE.left - EDGE.right} height=${Math.max(0, to - from)} />`;
  }
  return null;
}

/** @param {{across: Scale, up: Scale, x: string, y: string, width: number}} props */
function Axes({ across, up, x, y, width }) {
  const bottom = HEIGHT - EDGE.bottom;
  return html`<g class="axes" aria-hidden="true">
    ${across.ticks.map((each) => html`<g key=${each}><line x1=${across.at(each)} x2=${across.at(each)} y1=${EDGE.top} y2=${bottom} /><text x=${across.at(each)} y=${bottom + 18} text-anchor="middle">${shown(x, each)}</text></g>`)}
    ${up.ticks.map((each) => html`<g key=${each}><line x1=${EDGE.left} x2=${width - EDGE.right} y1=${up.at(each)} y2=${up.at(each)} /><text x=${EDGE.left - 8} y=${up.at(each) + 4} text-anchor="end">${shown(y, each)}</text></g>`)}
    <text class="axis" x=${(EDGE.left + width - EDGE.right) / 2} y=${HEIGHT - 8} text-anchor="middle">${nameOf(x)} ${t(isHigherBetter(x) ? "optimize.right" : "optimize.left")}</text>
    <text class="axis" x=${-(EDGE.top + bottom) / 2} y="16" transform="rotate(-90)" text-anchor="middle">${nameOf(y)} ${t(isHigherBetter(y) ? "optimize.up" : "optimize.down")}</text>
  </g>`;
}

/**
 * @param {{candidate: Candidate, x: number, y: number, label: Label | null, quantities: string[], chosen: boolean, picked: boolean, breaks: boolean, onPick: (name: string) => void}} props
 */
function Point({ candidate, x, y, label, quantities, chosen, picked, breaks, onPick }) {
  const numbers = quantities.map((each) => `${nameOf(each)} ${shown(each, candidate.values[each])}`).join(", ");
  const said = [candidate.name, numbers, chosen && t("optimize.legend.chosen"), breaks && t("optimize.legend.breaks")].filter(Boolean).join("; ");
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onPick(candidate.name);
  };
  return html`<g class=${classes("point", chosen && "chosen", picked && "picked", breaks && "breaks")} transform=${`translate(${x} ${y})`} tabindex="0" role="button"
    aria-pressed=${picked ? "true" : "false"} aria-label=${said} onClick=${() => onPick(candidate.name)} onKeyDown=${key}>
    <title>${said}</title>
    <circle class="reach" r="16" />
    <circle r=${chosen ? 8 : 6} />
    ${chosen && html`<circle class="ring" r="12" />`}
    ${(label || picked) && html`<text x=${label?.x ?? 14} y=${label?.y ?? 4} text-anchor=${label?.anchor ?? "start"}>${candidate.name}</text>`}
  </g>`;
}
