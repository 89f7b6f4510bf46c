/** What spoke for an answer (orange) and against it (blue), drawn over the picture that was asked about. */
import { html, useEffect, useRef } from "../view.js";

/**
 * @param {{
 *   picture?: CanvasImageSource | string | null, values: ArrayLike<number>, rows: number, columns: number, label: string,
 *   opacity?: number, size?: number,
 * }} props `values` row by row; a picture as an address or as something to draw.
 */
export function HeatMap({ picture, values, rows, columns, label, opacity = 0.65, size = 280 }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    let left = false;
    const draw = (/** @type {CanvasImageSource | null} */ below) => {
      const context = left ? null : canvas.current?.getContext("2d");
      if (!context || !canvas.current) return;
      const { width, height } = canvas.current;
      context.clearRect(0, 0, width, height);
      context.imageSmoothingEnabled = columns > 64;
      if (below) context.drawImage(below, 0, 0, width, height);
      context.globalAlpha = opacity;
      context.drawImage(heat(values, rows, columns), 0, 0, width, height);
      context.globalAlpha = 1;
    };
    if (typeof picture === "string") {
      const image = new Image();
      image.onload = () => draw(image);
      image.src = picture;
    } else draw(picture ?? null);
    return () => void (left = true);
  }, [picture, values, rows, columns, opacity]);
  const ratio = rows / columns;
  return html`<canvas ref=${canvas} class="heat" width=${size * 2} height=${Math.round(size * 2 * ratio)}
    style=${{ width: `${size}px`, aspectRatio: `${columns} / ${rows}` }} role="img" aria-label=${label}></canvas>`;
}

/**
 * A small canvas, a pixel a value; its transparency is how little the value says.
 * @param {ArrayLike<number>} values
 * @param {number} rows
 * @param {number} columns
 */
function heat(values, rows, columns) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(columns, rows);
  const most = strongest(values) || 1;
  for (let at = 0; at < rows * columns; at++) {
    const share = values[at] / most;
    const [red, green, blue] = share >= 0 ? [230, 97, 1] : [33, 102, 220];
    image.data.set([red, green, blue, Math.round(255 * Math.min(1, Math.abs(share)))], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * The size that one value in a hundred exceeds, so that a single one does not pale the others.
 * @param {ArrayLike<number>} values
 */
function strongest(values) {
  const sizes = Float64Array.from(values, Math.abs).sort();
  return sizes[Math.max(0, Math.floor(sizes.length * 0.99) - 1)] || sizes[sizes.length - 1];
}
