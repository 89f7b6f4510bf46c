/** What a run is at, in words. */
import { has, t } from "./i18n.js";

/** @param {string} stage As the run says it, such as `optimize: latency at batch 32`. */
export function stageName(stage) {
  const [name, part] = stage.split(": ", 2);
  if (!part) return has(`stage.${name}`) ? t(`stage.${name}`) : name;
  const batch = /^latency at batch (\d+)$/.exec(part);
  if (batch) return t("stage.optimize.latency", { batch: batch[1] });
  return has(`stage.${name}.${part}`) ? t(`stage.${name}.${part}`) : t("stage.optimize.pass", { pass: part });
}

/** That of a run that goes on; one that has ended is at none. @param {import("./types").Run} run */
export const stageOf = (run) => (run.state === "running" && run.stage ? stageName(run.stage) : "");
