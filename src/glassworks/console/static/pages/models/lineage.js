/** Where a version came from, drawn: from left to right, what went into what. */
import { Icon } from "../../components/icon.js";
import { t } from "../../i18n.js";
import { html, useEffect, useRef } from "../../view.js";
import { named } from "./metrics.js";

/** @typedef {import("../../types").Graph} Graph */

const [WIDE, HIGH, GAP_X, GAP_Y] = [176, 52, 44, 18];
const ICONS = /** @type {{[kind: string]: string}} */ ({ data: "data", run: "runs", job: "texts", pass: "optimize", version: "models", teacher: "user" });

/** @param {{graph: Graph, of: string}} props `of` is the version that is shown: it stands at the right. */
export function Lineage({ graph, of }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const placed = layout(graph);
  useEffect(() => {
    if (box.current) box.current.scrollLeft = box.current.scrollWidth;
  }, [of]);
  if (!graph.nodes.length) return html`<p class="muted">${t("models.lineage.none")}</p>`;
  const columns = Math.max(...placed.map((each) => each.column)) + 1;
  const rows = Math.max(...placed.map((each) => each.row)) + 1;
  const [width, height] = [columns * (WIDE + GAP_X) - GAP_X, rows * (HIGH + GAP_Y) - GAP_Y];
  const at = new Map(placed.map((each) => [each.node.id, each]));
  return html`<div class="lineage" ref=${box} tabindex="0" role="region" aria-label=${t("models.lineage")}>
    <div style=${{ width: `${width}px`, height: `${height}px` }}>
      <svg width=${width} height=${height} aria-hidden="true">
        ${graph.edges.map(({ source, target }) => {
          const [from, to] = [at.get(source), at.get(target)];
          if (!from || !to) return null;
          const [x1, y1, x2, y2] = [from.x + WIDE, from.y + HIGH / 2, to.x, to.y + HIGH / 2];
          return html`<path key=${source + target} d=${`M${x1} ${y1}C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2 - 5} ${y2}M${x2 - 10} ${y2 - 4}L${x2 - 4} ${y2}L${x2 - 10} ${y2 + 4}`} />`;
        })}
      </svg>
      <ol>
        ${placed.map(({ node, x, y }) => {
          const inside = html`<${Icon} name=${ICONS[node.kind] ?? "info"} /><span><small>${named("node", node.kind)}</small><b class="cut">${node.label}</b></span>`;
          const look = node.label === of ? "node this" : "node";
          return html`<li key=${node.id} style=${{ left: `${x}px`, top: `${y}px`, width: `${WIDE}px`, height: `${HIGH}px` }}>
            ${node.link ? html`<a class=${look} href=${node.link} title=${node.label} aria-current=${node.label === of ? "true" : null}>${inside}</a>` : html`<div class=${look} title=${node.label}>${inside}</div>`}
          </li>`;
        })}
      </ol>
    </div>
  </div>`;
}

/**
 * Each node as far right as it can stand before what it went into, so that the last one ends the picture.
 * @param {Graph} graph
 */
function layout(graph) {
  /** @type {Map<string, string[]>} */
  const into = new Map();
  for (const { source, target } of graph.edges) into.set(source, [...(into.get(source) ?? []), target]);
  /** @type {Map<string, number>} */
  const far = new Map();
  const distance = (/** @type {string} */ id) => {
    const known = far.get(id);
    if (known !== undefined) return known;
    far.set(id, 0); // A circle ends here.
    const found = Math.max(0, ...(into.get(id) ?? []).map((each) => 1 + distance(each)));
    far.set(id, found);
    return found;
  };
  const most = Math.max(0, ...graph.nodes.map((each) => distance(each.id)));
  /** @type {number[]} */
  const filled = [];
  return graph.nodes.toReversed().map((node) => {
    const column = most - (far.get(node.id) ?? 0);
    const row = filled[column] ?? 0;
    filled[column] = row + 1;
    return { node, column, row, x: column * (WIDE + GAP_X), y: row * (HIGH + GAP_Y) };
  }).sort((one, other) => one.column - other.column || one.row - other.row);
}
