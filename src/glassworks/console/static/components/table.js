/** A table of any length: of a long one only the rows in sight are elements, and `onEnd` asks for the next page. */
import { classes, html, useEffect, useRef, useState } from "../view.js";

const ROW = 44;
const BEYOND = 12;
const STEP = 4;

/**
 * @template T
 * @typedef {object} Column
 * @property {string} id
 * @property {any} title
 * @property {(row: T) => any} cell
 * @property {boolean} [number] To the right, with digits of one width.
 * @property {boolean} [wide] Only where the screen is wide.
 * @property {string} [width]
 */

/**
 * @param {{
 *   label: string, columns: Column<any>[], rows: any[], rowKey: (row: any) => string, onEnd?: () => void,
 *   complete?: boolean, height?: string, marked?: (row: any) => boolean,
 * }} props Rows are of one height: cells that are too long are cut.
 */
export function Table({ label, columns, rows, rowKey, onEnd, complete = true, height = "70vh", marked }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [top, setTop] = useState(0);
  const [shown, setShown] = useState(24);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const watch = new ResizeObserver(() => setShown(Math.ceil(element.clientHeight / ROW)));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const begin = Math.max(0, Math.min(top, rows.length - shown) - BEYOND);
  const end = Math.min(rows.length, top + shown + BEYOND);
  useEffect(() => {
    if (!complete && end >= rows.length - BEYOND) onEnd?.();
  }, [end, rows.length, complete]);
  const scrolled = () => setTop(STEP * Math.floor((box.current?.scrollTop ?? 0) / ROW / STEP));
  return html`<div class="table long" ref=${box} style=${{ maxHeight: height }} onScroll=${scrolled} tabindex="0" role="region" aria-label=${label}>
    <table aria-rowcount=${complete ? rows.length + 1 : -1}>
      <thead>
        <tr>
          ${columns.map((each) => html`<th key=${each.id} scope="col" class=${look(each)} style=${each.width ? { width: each.width } : null}>${each.title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${begin > 0 && html`<tr key="above" class="gap" aria-hidden="true" style=${{ height: `${begin * ROW}px` }}></tr>`}
        ${rows.slice(begin, end).map(
          (row, at) => html`<tr key=${rowKey(row)} aria-rowindex=${begin + at + 2} class=${marked?.(row) ? "marked" : ""}>
            ${columns.map((each) => html`<td key=${each.id} class=${look(each)}>${each.cell(row)}</td>`)}
          </tr>`,
        )}
        ${end < rows.length && html`<tr key="below" class="gap" aria-hidden="true" style=${{ height: `${(rows.length - end) * ROW}px` }}></tr>`}
      </tbody>
    </table>
  </div>`;
}

/** @param {Column<any>} column */
const look = (column) => classes(column.number && "number", column.wide && "wide-only");
