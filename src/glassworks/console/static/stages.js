/** What a run is at, in words. */
import { has, t } from "./i18n.js";

const SEARCH = "optimize: ";

/** @param {string} stage */
export function stageOf(stage) {
  const batch = /^optimize: latency at batch (\d+)$/.exec(stage);
  if (batch) return t("stage.latency", { batch: batch[1] });
  const key = `stage.${stage.replace(SEARCH, "")}`;
  if (has(key)) return t(key);
  return stage.startsWith(SEARCH) ? t("stage.pass", { pass: stage.slice(SEARCH.length) }) : stage;
}
