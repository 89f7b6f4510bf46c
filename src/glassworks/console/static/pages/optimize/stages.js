/** What a search is at, in words. */
import { has, t } from "../../i18n.js";

/** @param {string} stage */
export function stageOf(stage) {
  if (!stage) return "";
  const batch = /^optimize: latency at batch (\d+)$/.exec(stage);
  if (batch) return t("optimize.stage.latency", { batch: batch[1] });
  const key = `optimize.stage.${stage.replace("optimize: ", "")}`;
  return has(key) ? t(key) : stage.startsWith("optimize: ") ? t("optimize.stage.pass", { pass: stage.slice(10) }) : stage;
}
