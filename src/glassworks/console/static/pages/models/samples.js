/** Requests as people see them, and what was answered. */
import { t } from "../../i18n.js";
import { html, useEffect, useRef } from "../../view.js";

/** @typedef {import("../../types").Tensor} Tensor */

const LONG = 240;

/** @param {{samples: import("../../types").SampleRequest[]}} props */
export const Samples = ({ samples }) => html`<ul class="asked">
  ${samples.map((each, at) => html`<li key=${at}><${Inputs} tensors=${each.inputs} /><b>${each.answer?.headline ?? t("models.answer.none")}</b></li>`)}
</ul>`;

/** @param {{tensors: Tensor[]}} props */
export const Inputs = ({ tensors }) => html`<div class="inputs">${tensors.map((each) => html`<${Input} key=${each.name} tensor=${each} />`)}</div>`;

/** @param {{tensor: Tensor}} props */
function Input({ tensor }) {
  const { data, shape } = tensor;
  if (!data) return html`<span class="muted">${t("models.input.large")}</span>`;
  const layout = layoutOf(shape);
  if (layout) return html`<${Picture} data=${data} ...${layout} />`;
  const flat = /** @type {any[]} */ (data).flat(Infinity);
  const text = tensor.datatype === "BYTES" ? flat.join(" · ") : JSON.stringify(flat);
  return html`<span title=${tensor.name}>${tensor.datatype !== "BYTES" && html`<code>${tensor.name}</code> `}${text.length > LONG ? `${text.slice(0, LONG)}…` : text}</span>`;
}

/**
 * How pictures lie in a tensor: channels last, or first.
 * @param {number[]} shape
 */
function layoutOf(shape) {
  const [, one, two, three] = shape;
  const colors = (/** @type {number} */ count) => count === 1 || count === 3;
  if (shape.length !== 4) return null;
  if (colors(three) && one > 3) return { height: one, width: two, channels: three, last: true };
  return colors(one) && two > 3 ? { height: two, width: three, channels: one, last: false } : null;
}

/** @param {{data: any[], width: number, height: number, channels: number, last: boolean}} props The first picture of a batch. */
function Picture({ data, width, height, channels, last }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const flat = data.flat(Infinity).slice(0, width * height * channels);
    // Bytes as they are; numbers of any other range from the least to the most.
    const [low, high] = flat.reduce(([least, most], each) => [Math.min(least, each), Math.max(most, each)], [0, 1]);
    const scale = high > 1 && low >= 0 && high <= 255 ? 1 : 255 / (high - low);
    const image = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      for (let color = 0; color < 3; color++) {
        const channel = channels === 3 ? color : 0;
        image.data[4 * at + color] = (flat[last ? at * channels + channel : channel * width * height + at] - (scale === 1 ? 0 : low)) * scale;
      }
      image.data[4 * at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }, [data]);
  return html`<canvas class="preview" ref=${canvas} width=${width} height=${height} role="img" aria-label=${t("models.picture")}></canvas>`;
}
