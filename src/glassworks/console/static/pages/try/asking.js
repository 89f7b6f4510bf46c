/** What is asked of a model, and what comes back: tensors of the Open Inference Protocol as the page needs them. */
import { get, post } from "../../api.js";

/** @typedef {{name: string, shape: number[], datatype: string, data: any[]}} Tensor */
/** @typedef {{outputs: Tensor[], parameters?: {[name: string]: any}}} Answer */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} version As it was asked for; empty for whichever is served.
 * @property {string} answers The version that answers.
 * @property {string} task
 * @property {string[]} labels
 * @property {string[]} explainers
 * @property {string[]} parts What the parts of a text are called; none where it is whole.
 * @property {string[]} features What users may be described by.
 * @property {{name: string, datatype: string, shape: number[]}} input
 */
/** @typedef {{model: string, version: string, task: string, input: Tensor, method: string, target?: string | number}} Question */

/**
 * The inference address of a model.
 * @param {{name: string, version: string}} model
 */
export function pathOf(model) {
  const name = `/v2/models/${encodeURIComponent(model.name)}`;
  return model.version ? `${name}/versions/${encodeURIComponent(model.version)}` : name;
}

/**
 * @param {string} name
 * @param {string} version
 * @param {AbortSignal} signal
 * @returns {Promise<Model>}
 */
export async function describe(name, version, signal) {
  const path = pathOf({ name, version });
  /** @type {[any, any]} */
  const [about, config] = await Promise.all([get(path, { signal }), get(`${path}/config`, { signal })]);
  return {
    name, version,
    answers: config.version_policy?.specific?.versions?.[0]?.toString() ?? version,
    task: about.properties.task,
    labels: JSON.parse(config.labels || "[]"),
    explainers: about.properties.explainers ? about.properties.explainers.split(",") : [],
    parts: JSON.parse(about.properties.text_parts_json || "[]"),
    features: JSON.parse(about.properties.user_features_json || "[]"),
    input: about.inputs[0],
  };
}

/**
 * @param {Model} model
 * @param {Tensor} input
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export const infer = (model, input, signal) => post(`${pathOf(model)}/infer`, { inputs: [input] }, { signal });

/**
 * @param {Model} model
 * @param {Tensor} input
 * @param {{method: string, target?: string | number | null, seed?: number, grade?: boolean}} how
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export function explain(model, input, how, signal) {
  const parameters = Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined && value !== null));
  return post(`${pathOf(model)}/explain`, { inputs: [input], parameters }, { signal });
}

/**
 * Texts, or files in base64, as the one input of a model.
 * @param {{input: {name: string}}} model
 * @param {string[]} data
 * @returns {Tensor}
 */
export const texts = (model, ...data) => ({ name: model.input.name, shape: [data.length], datatype: "BYTES", data });

/**
 * An output by its name, or by how its name begins.
 * @param {Answer} answer
 * @param {string} name
 */
export const output = (answer, name) => answer.outputs.find((each) => each.name === name || each.name.startsWith(`${name}:`));

/**
 * Labels with their probabilities, the most probable first.
 * @param {Model} model
 * @param {Answer} answer
 */
export function ranked(model, answer) {
  const probabilities = output(answer, "probabilities")?.data ?? [];
  const reported = output(answer, "label_set")?.data;
  return probabilities
    .map((value, at) => ({ label: model.labels[at] ?? String(at), value, reported: reported ? !!reported[at] : null }))
    .sort((a, b) => b.value - a.value);
}

/**
 * How sure a model is of a label, and how unlike what it learned from the input is, where it measures that.
 * @typedef {{label: string, probability: number, novelty: number | null}} Certainty
 */
/**
 * @param {Model} model
 * @param {Answer} answer
 * @param {string | null} label The first one where none is given.
 * @returns {Certainty | null}
 */
export function certaintyOf(model, answer, label) {
  const found = ranked(model, answer);
  const one = found.find((each) => each.label === label) ?? found[0];
  const novelty = output(answer, "novelty")?.data;
  return one ? { label: one.label, probability: one.value, novelty: novelty?.length ? Math.max(...novelty) : null } : null;
}

/**
 * Values by pixel, row by row, the channels of each summed; channels come first in a tensor, or last as in a picture.
 * @param {Tensor} tensor
 */
export function byPixel({ shape, data }) {
  const last = shape[3] <= 4 && shape[1] > 4;
  const [channels, rows, columns] = last ? [shape[3], shape[1], shape[2]] : shape.slice(-3);
  const values = new Float32Array(rows * columns);
  for (let at = 0; at < values.length; at++) {
    for (let channel = 0; channel < channels; channel++) {
      values[at] += data[last ? channels * at + channel : channel * values.length + at];
    }
  }
  return { values, rows, columns };
}

/**
 * The part of a large map in which all its values lie, with what is around it; null where they are all over it.
 * @param {{values: Float32Array, rows: number, columns: number}} map
 * @param {CanvasImageSource} picture
 */
export function nearby({ values, rows, columns }, picture) {
  let [left, top, right, bottom] = [columns, rows, -1, -1];
  for (let at = 0; at < values.length; at++) {
    if (!values[at]) continue;
    const [x, y] = [at % columns, Math.floor(at / columns)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  const side = Math.max(16, 2 * Math.max(right - left + 1, bottom - top + 1));
  if (right < 0 || side > Math.min(rows, columns) / 2) return null;
  const x = Math.max(0, Math.min(columns - side, Math.round((left + right - side) / 2)));
  const y = Math.max(0, Math.min(rows - side, Math.round((top + bottom - side) / 2)));
  const part = new Float32Array(side * side);
  for (let row = 0; row < side; row++) part.set(values.subarray((y + row) * columns + x, (y + row) * columns + x + side), row * side);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.getContext("2d")?.drawImage(picture, x, y, side, side, 0, 0, side, side);
  return { values: part, rows: side, columns: side, picture: canvas };
}

/**
 * JSON whose whole numbers may be too large for JavaScript: those stay as they were written.
 * @param {string} text
 */
export function parsed(text) {
  const exact = (/** @type {string} */ _, /** @type {any} */ value, /** @type {any} */ context) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
  return JSON.parse(text, /** @type {any} */ (exact));
}

/**
 * Spearman's rank correlation of two maps.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function agreement(a, b) {
  const [x, y] = [ranks(a), ranks(b)];
  const middle = (x.length - 1) / 2;
  let [both, first, second] = [0, 0, 0];
  for (let at = 0; at < x.length; at++) {
    both += (x[at] - middle) * (y[at] - middle);
    first += (x[at] - middle) ** 2;
    second += (y[at] - middle) ** 2;
  }
  return first && second ? both / Math.sqrt(first * second) : 1;
}

/** @param {ArrayLike<number>} values Equal ones share their mean rank. */
function ranks(values) {
  const order = Array.from(values, (_, at) => at).sort((a, b) => values[a] - values[b]);
  const found = new Float64Array(values.length);
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (end < order.length && values[order[end]] === values[order[begin]]) end++;
    for (let at = begin; at < end; at++) found[order[at]] = (begin + end - 1) / 2;
    begin = end;
  }
  return found;
}
