/** The runs that go on, and the last ones that ended. */
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded } from "../../components/notices.js";
import { Progress, StateBadge } from "../../components/progress.js";
import { ago, duration } from "../../format.js";
import { has, t } from "../../i18n.js";
import { link } from "../../router.js";
import { useResource } from "../../resource.js";
import { followRuns } from "../../runs.js";
import { may } from "../../session.js";
import { stageOf } from "../../stages.js";
import { html, useEffect } from "../../view.js";

/** @typedef {import("../../types").Run} Run */

/** @param {{onChange: () => void}} props Called when a run begins or ends. */
export function RunLines({ onChange }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<Run>>} */
  const runs = useResource("/runs", { limit: 6 });
  useEffect(() => followRuns(runs.change, (kind) => kind === "state" && onChange()), []);
  return html`<${Card} title=${t("home.runs")} actions=${html`<a href=${link("runs")}>${t("home.runs.all")}</a>`}>
    <${Loaded} of=${runs} lines=${3}>${(/** @type {any} */ page) => html`<${Lines} runs=${page.items.slice(0, 6)} />`}<//>
  <//>`;
}

/** @param {{runs: Run[]}} props */
function Lines({ runs }) {
  if (!runs.length) {
    return html`<${Empty} icon="runs" title=${t("home.runs.none")} text=${t("home.runs.none.text")}>
      ${may("operator") && html`<${Button} kind="primary" href=${link("train")}>${t("home.none.train")}<//>`}
    <//>`;
  }
  return html`<ul class="run-lines">
    ${runs.map(
      (run) => html`<li key=${run.id}>
        <a href=${link("runs", run.id)}><b>${run.about}</b> <span class="muted">${has(`kind.${run.kind}`) ? t(`kind.${run.kind}`) : run.kind}</span></a>
        <${StateBadge} state=${run.state} cancelling=${run.cancelling} />
        <span class="way">${run.state === "running" ? html`<${Progress} value=${run.step} total=${run.total} label=${stageOf(run)} />` : html`<span class="muted">${ago(run.ended_at ?? run.created_at)}</span>`}</span>
        <span class="number muted left">${run.state === "running" && run.values.left_s !== undefined ? t("home.left", { time: duration(run.values.left_s) }) : ""}</span>
      </li>`,
    )}
  </ul>`;
}
