/** A field to draw on: by mouse, pen or finger, or with the arrow keys and the space bar. */
import { Button } from "../../components/button.js";
import { t } from "../../i18n.js";
import { html, useEffect, useRef, useState } from "../../view.js";
import { blobOf, paper } from "./pixels.js";

const SIDE = 280;
const STEP = 10;
const WAIT_MS = 250;
/** Digits to learn from fill 20 of 28 pixels, their center of mass in the middle. */
const FILLS = 20 / 28;

/** @param {{side: number, onDrawn: (blob: Blob | null) => void}} props `side` is that of the model's pictures. */
export function DrawField({ side, onDrawn }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const last = useRef(/** @type {{x: number, y: number} | null} */ (null));
  const cursor = useRef({ x: SIDE / 2, y: SIDE / 2, down: false });
  const timer = useRef(/** @type {any} */ (0));
  const [pen, setPen] = useState(/** @type {{x: number, y: number, down: boolean} | null} */ (null));
  const clear = () => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    clearTimeout(timer.current);
    onDrawn(null);
  };
  useEffect(() => {
    clear();
    return () => clearTimeout(timer.current);
  }, []);
  const line = (/** @type {{x: number, y: number}} */ from, /** @type {{x: number, y: number}} */ to) => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    Object.assign(context, { strokeStyle: "#fff", lineWidth: 20, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    clearTimeout(timer.current);
    timer.current = setTimeout(async () => {
      const made = canvas.current && centered(canvas.current, side);
      onDrawn(made ? await blobOf(made) : null);
    }, WAIT_MS);
  };
  const at = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    return { x: ((event.clientX - box.left) * SIDE) / box.width, y: ((event.clientY - box.top) * SIDE) / box.height };
  };
  const down = (/** @type {PointerEvent} */ event) => {
    event.preventDefault();
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    last.current = at(event);
    setPen(null);
    line(last.current, last.current);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!last.current) return;
    const now = at(event);
    line(last.current, now);
    last.current = now;
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const was = { ...cursor.current };
    if (by) {
      cursor.current.x = Math.max(10, Math.min(SIDE - 10, was.x + by[0] * STEP));
      cursor.current.y = Math.max(10, Math.min(SIDE - 10, was.y + by[1] * STEP));
      if (was.down) line(was, cursor.current);
    } else if (event.key === " ") {
      cursor.current.down = !was.down;
      if (cursor.current.down) line(was, was);
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    event.preventDefault();
    setPen({ ...cursor.current });
  };
  return html`<div class="draw">
      <canvas ref=${canvas} width=${SIDE} height=${SIDE} tabindex="0" role="img" aria-label=${t("try.draw.label")} aria-describedby="try-draw-hint"
        onPointerDown=${down} onPointerMove=${move} onPointerUp=${() => (last.current = null)} onPointerCancel=${() => (last.current = null)} onKeyDown=${key} onBlur=${() => setPen(null)}></canvas>
      ${pen && html`<i class=${pen.down ? "pen down" : "pen"} style=${{ left: `${(100 * pen.x) / SIDE}%`, top: `${(100 * pen.y) / SIDE}%` }}></i>`}
    </div>
    <p class="unseen" role="status">${pen ? t(pen.down ? "try.draw.down" : "try.draw.up") : ""}</p>
    <div class="row"><${Button} icon="again" onClick=${clear}>${t("try.draw.clear")}<//><p class="hint" id="try-draw-hint">${t("try.draw.hint")}</p></div>`;
}

/**
 * What was drawn as pictures of digits are: as large, and its center of mass in the middle; null where nothing was.
 * @param {HTMLCanvasElement} drawn
 * @param {number} side
 */
function centered(drawn, side) {
  const { data } = /** @type {CanvasRenderingContext2D} */ (drawn.getContext("2d")).getImageData(0, 0, SIDE, SIDE);
  let [left, top, right, bottom, mass, x, y] = [SIDE, SIDE, -1, -1, 0, 0, 0];
  for (let at = 0; at < SIDE * SIDE; at++) {
    const value = data[4 * at];
    if (!value) continue;
    const [column, row] = [at % SIDE, Math.floor(at / SIDE)];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    [mass, x, y] = [mass + value, x + value * column, y + value * row];
  }
  if (!mass) return null;
  const scale = (FILLS * side) / Math.max(right - left + 1, bottom - top + 1, SIDE / 8);
  const [canvas, context] = paper(side, side);
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.setTransform(scale, 0, 0, scale, side / 2 - scale * (x / mass), side / 2 - scale * (y / mass));
  context.drawImage(drawn, 0, 0);
  return canvas;
}
