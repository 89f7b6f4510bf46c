/** Curves, live and of any length: dragged over they zoom, and with the focus the keys `+ - 0` and arrows work. */
import { number } from "../format.js";
import { t } from "../i18n.js";
import { color, theme } from "../theme.js";
import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { Button } from "./button.js";
import { extent, lower, thinned } from "./chart_data.js";

/** @typedef {import("./chart_data.js").Line} Line */
/** @typedef {{zoom: [number, number] | null, lines: Line[], props: any, legend: HTMLElement | null}} Shown */

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("../vendor/uplot.css", import.meta.url).href;
document.head.append(style);

export const SERIES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

/**
 * @param {{
 *   lines: Line[], label: string, xLabel?: string, yLabel?: string, height?: number, log?: boolean,
 *   format?: (value: number) => string, xFormat?: (value: number) => string,
 * }} props
 */
export function Chart(props) {
  const { lines, label, height = 260, log, format = number, xFormat = number } = props;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const legend = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = useRef(/** @type {Shown} */ ({ zoom: null, lines, props, legend: null }));
  const [zoomed, setZoomed] = useState(false);
  const [table, setTable] = useState(false);
  shown.current.lines = lines;
  shown.current.props = { format, xFormat };
  const names = JSON.stringify(lines.map((each) => [each.label, each.color, each.dash]));

  const zoom = (/** @type {[number, number] | null} */ range) => {
    shown.current.zoom = range;
    setZoomed(range !== null);
    if (plot.current) fill(plot.current, shown.current);
  };
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    shown.current.legend = legend.current;
    const made = new uPlot(optionsOf(props, element, shown.current, zoom), [[]], element);
    plot.current = made;
    fill(made, shown.current);
    const watch = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height });
      fill(made, shown.current);
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, theme.value, height, log, props.xLabel, props.yLabel]);
  useEffect(() => {
    const frame = requestAnimationFrame(() => plot.current && fill(plot.current, shown.current));
    return () => cancelAnimationFrame(frame);
  }, [lines]);

  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (plot.current && pressed(event.key, plot.current, shown.current, zoom)) event.preventDefault();
  };
  return html`<figure class="chart">
    <div ref=${box} class="plot" style=${{ height: `${height}px` }} tabindex="0" role="img" aria-label=${`${label}. ${said(lines, format)}`} onKeyDown=${keys}></div>
    <figcaption>
      <ul class="legend" ref=${legend}>
        ${lines.map((each, at) => html`<li key=${each.label}><i class="swatch" style=${{ background: `var(${each.color ?? SERIES[at % 6]})` }}></i>${each.label}<b class="number"></b></li>`)}
      </ul>
      <span class="actions">
        ${zoomed && html`<${Button} kind="quiet" icon="again" onClick=${() => zoom(null)}>${t("chart.all")}<//>`}
        <${Button} kind="quiet" aria-pressed=${table} onClick=${() => setTable(!table)}>${t("chart.table")}<//>
      </span>
    </figcaption>
    ${table && html`<${Numbers} lines=${lines} format=${format} xFormat=${xFormat} xLabel=${props.xLabel ?? ""} />`}
  </figure>`;
}

/** The same as numbers, about forty rows of each line. @param {{lines: Line[], format: any, xFormat: any, xLabel: string}} props */
function Numbers({ lines, format, xFormat, xLabel }) {
  const rows = lines.flatMap((each) => {
    const [x, y] = thinned(each, -Infinity, Infinity, 20);
    return x.map((value, at) => [each.label, xFormat(value), y[at] === null ? "" : format(y[at])]);
  });
  return html`<div class="table numbers" tabindex="0" role="region" aria-label=${t("chart.table")}>
    <table>
      <thead><tr><th scope="col"></th><th scope="col" class="number">${xLabel}</th><th scope="col" class="number">${t("chart.value")}</th></tr></thead>
      <tbody>${rows.map((row, at) => html`<tr key=${at}><td>${row[0]}</td><td class="number">${row[1]}</td><td class="number">${row[2]}</td></tr>`)}</tbody>
    </table>
  </div>`;
}

/**
 * @param {any} props
 * @param {HTMLElement} element
 * @param {Shown} shown
 * @param {(range: [number, number] | null) => void} zoom
 */
function optionsOf(props, element, shown, zoom) {
  const line = color("--line");
  const axis = { stroke: color("--muted"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui", labelFont: "12px system-ui", labelSize: 18, labelGap: 0 };
  const valued = (/** @type {"format" | "xFormat"} */ name) => (/** @type {any} */ _, /** @type {number[]} */ values) =>
    values.map((/** @type {any} */ each) => (each === null ? "" : shown.props[name](each)));
  return {
    width: Math.max(50, element.clientWidth),
    height: props.height ?? 260,
    legend: { show: false },
    scales: { x: { time: false, range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => [low, high] }, y: props.log ? { distr: 3 } : {} },
    axes: [
      { ...axis, label: props.xLabel, values: valued("xFormat"), size: 34 },
      { ...axis, label: props.yLabel, values: valued("format"), size: 58 },
    ],
    series: [{}, ...props.lines.map((/** @type {Line} */ each, /** @type {number} */ at) => seriesOf(each, at))],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 }, bind: { dblclick: () => () => zoom(null) } },
    hooks: {
      setSelect: [
        (/** @type {uPlot} */ plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
        },
      ],
      setCursor: [(/** @type {uPlot} */ plot) => point(plot, shown)],
    },
  };
}

/**
 * @param {Line} line
 * @param {number} at
 */
function seriesOf(line, at) {
  const stroke = color(line.color ?? SERIES[at % SERIES.length]);
  return { label: line.label, stroke, width: 1.75, dash: line.dash, spanGaps: true, points: line.points === undefined ? {} : { show: line.points } };
}

/**
 * Puts as many points on the plot as it has room for.
 * @param {uPlot} plot
 * @param {Shown} shown
 */
function fill(plot, shown) {
  const [from, to] = shown.zoom ?? extent(shown.lines);
  const columns = Math.max(100, Math.floor((plot.over.clientWidth || 600) / 2));
  const tables = shown.lines.map((each) => thinned(each, from, to, columns));
  plot.batch(() => {
    plot.setData(tables.length > 1 ? uPlot.join(tables) : (tables[0] ?? [[]]), false);
    plot.setScale("x", { min: from, max: to });
  });
  point(plot, shown);
}

/**
 * The values under the cursor, else the last ones, without drawing anything else anew.
 * @param {uPlot} plot
 * @param {Shown} shown
 */
function point(plot, shown) {
  const { legend } = shown;
  if (!legend) return;
  const inside = plot.cursor.left >= 0;
  const x = inside ? plot.posToVal(plot.cursor.left, "x") : Infinity;
  shown.lines.forEach((each, at) => {
    const value = legend.children[at]?.querySelector("b");
    if (!value || !each.x.length) return;
    const index = Math.min(each.x.length - 1, lower(each.x, x));
    const near = index > 0 && x - each.x[index - 1] < each.x[index] - x ? index - 1 : index;
    value.textContent = each.y[near] === null ? "" : shown.props.format(each.y[near]);
  });
}

/**
 * @param {string} key
 * @param {uPlot} plot
 * @param {Shown} shown
 * @param {(range: [number, number] | null) => void} zoom
 */
function pressed(key, plot, shown, zoom) {
  const [low, high] = shown.zoom ?? extent(shown.lines);
  const width = high - low;
  const steps = /** @type {{[key: string]: () => void}} */ ({
    "+": () => zoom([low + width / 4, high - width / 4]),
    "=": () => zoom([low + width / 4, high - width / 4]),
    "-": () => zoom([low - width / 2, high + width / 2]),
    0: () => zoom(null),
    ArrowLeft: () => zoom([low - width / 8, high - width / 8]),
    ArrowRight: () => zoom([low + width / 8, high + width / 8]),
  });
  if (!steps[key] || (key.startsWith("Arrow") && !shown.zoom)) return false;
  steps[key]();
  return true;
}

/** @param {Line} line */
const last = (line) => (line.y.length ? line.y[line.y.length - 1] : null);

/**
 * @param {Line[]} lines
 * @param {(value: number) => string} format
 */
const said = (lines, format) => lines.map((each) => `${each.label}: ${last(each) === null ? "–" : format(Number(last(each)))}`).join("; ");
