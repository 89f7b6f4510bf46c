/** Quantities in words and with their units. */
import { bytes, milliseconds, number, percent } from "../../format.js";
import { has, t } from "../../i18n.js";
import { isMetric } from "./found.js";

const SHARES = /accuracy|f1|agreement|recall|precision|ndcg|hit|exact_match/;

/** @param {string} quantity `latency_p99@32`, `size`, `accuracy`. */
export function nameOf(quantity) {
  const [name, batch] = quantity.split("@");
  const key = `optimize.quantity.${name}`;
  if (batch && batch !== "1") return t("optimize.at", { quantity: has(key) ? t(key) : name, batch });
  return has(key) ? t(key) : name.replaceAll("_", " ");
}

/**
 * @param {string} quantity
 * @param {number | undefined} value
 */
export function shown(quantity, value) {
  if (value === undefined) return "–";
  if (quantity === "size") return bytes(value);
  if (/^latency|^first_token|^time_per/.test(quantity)) return milliseconds(value);
  if (isMetric(quantity) && SHARES.test(quantity)) return percent(value, 2);
  return number(value);
}
