/** What a key may do at most, in words. */
import { number } from "../../format.js";
import { t } from "../../i18n.js";

export const LIMITS = /** @type {const} */ (["requests_per_s", "requests_per_day", "rows_per_day", "tokens_per_day", "concurrent_streams", "max_context"]);

/**
 * @param {import("../../types").Key} key
 * @returns {string[]}
 */
export function limitsOf(key) {
  const models = key.models.length ? [t("keys.limit.models", { models: key.models.join(", ") })] : [];
  const counts = LIMITS.filter((each) => key[each] !== null && key[each] !== undefined).map((each) => t(`keys.limit.${each}`, { value: number(key[each]) }));
  return [...models, ...counts];
}
