/** Examples that lie in the bundle, to ask about with a click. */
import { useResource } from "../../resource.js";
import { may } from "../../session.js";

/** @typedef {import("./asking.js").Tensor} Tensor */

/**
 * The inputs of a model's samples, one row each; none where the service keeps none.
 * @param {import("./asking.js").Model} model
 * @returns {Tensor[]}
 */
export function useExamples(model) {
  const path = `/models/${encodeURIComponent(model.name)}/versions/${encodeURIComponent(model.answers)}`;
  /** @type {import("../../resource.js").Resource<any>} */
  const version = useResource(may("viewer") ? path : null);
  /** @type {any[]} */
  const samples = version.value?.samples ?? [];
  return samples.flatMap((each) => each.inputs.filter((/** @type {Tensor} */ one) => one.name === model.input.name && one.data).flatMap(rows));
}

/** @param {Tensor} tensor @returns {Tensor[]} */
function rows(tensor) {
  const [count, ...shape] = tensor.shape;
  const size = tensor.data.length / count;
  return Array.from({ length: count }, (_, row) => ({ ...tensor, shape: [1, ...shape], data: tensor.data.slice(row * size, (row + 1) * size) }));
}
