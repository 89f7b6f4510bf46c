/** Pictures as files, canvases and tensors. */

/** @param {Blob} blob @returns {Promise<string>} */
export function base64Of(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** @param {Blob} blob Upright, as the service puts it. */
export const bitmapOf = (blob) => createImageBitmap(blob, { imageOrientation: "from-image" });

/**
 * @param {number} width
 * @param {number} height
 * @returns {[HTMLCanvasElement, CanvasRenderingContext2D]}
 */
export function paper(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return [canvas, /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }))];
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} [kind]
 * @returns {Promise<Blob>}
 */
export function blobOf(canvas, kind = "image/png") {
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("toBlob"))), kind, 0.92));
}

/**
 * A tensor of one picture, channels first or last, between its least and its largest value.
 * @param {import("./asking.js").Tensor} tensor
 */
export function canvasOf({ shape, data, datatype }) {
  const last = shape[3] <= 4 && shape[1] > 4;
  const [channels, height, width] = last ? [shape[3], shape[1], shape[2]] : shape.slice(1);
  const [canvas, context] = paper(width, height);
  const image = context.createImageData(width, height);
  const exact = datatype === "UINT8";
  const least = exact ? 0 : data.reduce((a, b) => Math.min(a, b), Infinity);
  const most = exact ? 255 : data.reduce((a, b) => Math.max(a, b), -Infinity);
  for (let at = 0; at < width * height; at++) {
    for (let color = 0; color < 3; color++) {
      const channel = Math.min(color, channels - 1);
      const value = data[last ? channels * at + channel : channel * width * height + at];
      image.data[4 * at + color] = (255 * (value - least)) / (most - least || 1);
    }
    image.data[4 * at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A picture with noise of two gray levels at most.
 * @param {ImageBitmap} picture
 */
export function stirred(picture) {
  const [canvas, context] = paper(picture.width, picture.height);
  context.drawImage(picture, 0, 0);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < image.data.length; at += 4) {
    const noise = Math.round(Math.random() * 4 - 2);
    for (let color = 0; color < 3; color++) image.data[at + color] += noise;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * As a smaller file where a side is longer than `most`, else null.
 * @param {ImageBitmap} picture
 * @param {number} most
 */
export async function smaller(picture, most) {
  const scale = most / Math.max(picture.width, picture.height);
  if (scale >= 1) return null;
  const [canvas, context] = paper(Math.round(picture.width * scale), Math.round(picture.height * scale));
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return { blob: await blobOf(canvas), canvas };
}
