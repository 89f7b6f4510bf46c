/** What is said of runs in more than one view. */
import { Tag } from "../../components/progress.js";
import { clock, duration, number } from "../../format.js";
import { has, t } from "../../i18n.js";
import { html } from "../../view.js";

/** @param {string} kind */
export const kindName = (kind) => (has(`kind.${kind}`) ? t(`kind.${kind}`) : kind);

/** @param {string} name The name of a value, such as `loss`. @returns {string} */
export function valueName(name) {
  const [plain, batch] = name.split("@");
  if (batch) return t("runs.value.at", { name: valueName(plain), batch });
  if (has(`runs.value.${name}`)) return t(`runs.value.${name}`);
  return name.startsWith("validation_") ? t("runs.value.validation", { name: valueName(name.slice(11)) }) : name.replaceAll("_", " ");
}

/** What it made, in short. @param {import("../../types").Run} run */
export function resultOf(run) {
  const [name, metric] = Object.entries(run.result.metrics ?? {})[0] ?? [];
  return html`${run.result.model && html`<${Tag}>${run.result.model}<//> `}${metric && html`<span class="number">${valueName(String(name))} ${number(/** @type {any} */ (metric).value, 4)}</span>`}`;
}

/** How long it has worked. @param {import("../../types").Run} run */
export function taken(run) {
  const end = run.ended_at ?? (run.state === "running" ? clock.value : null);
  return run.started_at && end ? duration(end - run.started_at) : "–";
}
