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
  const [height, width, channels] = shape.slice(-3);
  if (shape.length === 4 && (channels === 1 || channels === 3) && height > 3) return html`<${Picture} data=${data} width=${width} height=${height} channels=${channels} />`;
  const flat = /** @type {any[]} */ (data).flat(Infinity);
  const text = tensor.datatype === "BYTES" ? flat.join(" · ") : JSON.stringify(flat);
  return html`<span title=${tensor.name}>${tensor.datatype !== "BYTES" && html`<code>${tensor.name}</code> `}${text.length > LONG ? `${text.slice(0, LONG)}…` : text}</span>`;
}

/** @param {{data: any[], width: number, height: number, channels: number}} props The first picture of a batch. */
function Picture({ data, width, height, channels }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const flat = data.flat(Infinity);
    const image = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      for (let channel = 0; channel < 3; channel++) image.data[4 * at + channel] = flat[at * channels + (channels === 3 ? channel : 0)];
      image.data[4 * at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }, [data]);
  return html`<canvas class="thumb" ref=${canvas} width=${width} height=${height} role="img" aria-label=${t("models.picture")}></canvas>`;
}
