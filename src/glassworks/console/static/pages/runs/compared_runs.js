/** Some runs on one chart, and in which keys their jobs differ. */
import { get } from "../../api.js";
import { Button } from "../../components/button.js";
import { Chart, SERIES } from "../../components/chart.js";
import { SelectField } from "../../components/fields.js";
import { Card, Heading } from "../../components/heading.js";
import { Empty, Loaded } from "../../components/notices.js";
import { StateBadge } from "../../components/progress.js";
import { ago, number } from "../../format.js";
import { t } from "../../i18n.js";
import { link, requery } from "../../router.js";
import { useLoaded, useResource } from "../../resource.js";
import { isOpen } from "../../runs.js";
import { html, useEffect, useMemo } from "../../view.js";
import { kindName, valueName } from "./words.js";

/** @typedef {import("../../types").Run} Run */
/** @typedef {import("../../types").Series} Series */
/** @typedef {{run: Run, series: Series[]}[]} Both */
const HIDDEN = new Set(["left_s", "epoch", "seconds"]);
const AGAIN_MS = 2000;

/** @param {{ids: string[], name: string}} props */
export function ComparedRuns({ ids, name }) {
  const load = async (/** @type {AbortSignal} */ signal) =>
    Promise.all(
      ids.map(async (id) => {
        const at = `/runs/${encodeURIComponent(id)}`;
        const [run, found] = await Promise.all([get(at, { signal }), get(`${at}/series`, { signal, query: { points: 2000 } })]);
        return { run, series: found.series };
      }),
    );
  /** @type {import("../../resource.js").Resource<Both>} */
  const both = useLoaded(load, ids.join(","));
  const live = both.value?.some(({ run }) => isOpen(run));
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => document.hidden || both.reload(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [live]);
  return html`<${Heading} title=${t("runs.compare.title")} back=${{ href: link("runs"), text: t("runs.back") }}><${Adding} ids=${ids} /><//>
    ${ids.length ? html`<${Loaded} of=${both} lines=${8}>${(/** @type {Both} */ value) => html`<${Compared} both=${value} ids=${ids} name=${name} />`}<//>` : html`<${Empty} icon="runs" title=${t("runs.compare.none")} />`}`;
}

/** @param {{ids: string[]}} props */
function Adding({ ids }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<Run>>} */
  const runs = useResource("/runs", { limit: 50 });
  const others = (runs.value?.items ?? []).filter((run) => !ids.includes(run.id) && ["train", "release", "fine_tuning"].includes(run.kind));
  const options = others.map((run) => ({ value: run.id, label: `${run.about} · ${kindName(run.kind)} · ${ago(run.created_at)}` }));
  return html`<${SelectField} label=${t("runs.compare.add")} value="" options=${[{ value: "", label: t("runs.compare.choose") }, ...options]}
    onInput=${(/** @type {string} */ id) => id && requery({ ids: [...ids, id].slice(-6).join(",") })} />`;
}

/** @param {{both: Both, ids: string[], name: string}} props */
function Compared({ both, ids, name }) {
  const names = useMemo(() => [...new Set(both.flatMap(({ series }) => series.map((each) => each.name)))].filter((each) => !HIDDEN.has(each)), [both]);
  const chosen = names.includes(name) ? name : names.includes("loss") ? "loss" : names[0];
  const lines = useMemo(() => both.map(({ run, series }, at) => lineOf(run, series, chosen, at)), [both, chosen]);
  if (!names.length) return html`<${Empty} icon="train" title=${t("runs.curves.none")} /><${Differences} both=${both} ids=${ids} lines=${[]} />`;
  const pick = html`<${SelectField} label=${t("runs.compare.value")} value=${chosen} onInput=${(/** @type {string} */ next) => requery({ name: next })} options=${names.map((each) => ({ value: each, label: valueName(each) }))} />`;
  return html`<${Card} title=${valueName(chosen)} actions=${pick}><${Chart} label=${valueName(chosen)} xLabel=${t("runs.steps")} height=${360} lines=${lines} /><//>
    <${Differences} both=${both} ids=${ids} lines=${lines} />`;
}

/**
 * @param {Run} run
 * @param {Series[]} series
 * @param {string} name
 * @param {number} at
 * @returns {import("../../components/chart_data.js").Line}
 */
function lineOf(run, series, name, at) {
  const found = series.find((each) => each.name === name);
  return { label: `${run.about} ${run.id.slice(0, 4)}`, x: found?.step ?? [], y: found?.value ?? [], color: SERIES[at % SERIES.length] };
}

/** @param {{both: Both, ids: string[], lines: import("../../components/chart_data.js").Line[]}} props */
function Differences({ both, ids, lines }) {
  const flat = both.map(({ run }) => flattened(run.request?.job ?? run.request ?? {}));
  const keys = [...new Set(flat.flatMap((each) => Object.keys(each)))].filter((key) => new Set(flat.map((each) => each[key])).size > 1);
  const metrics = [...new Set(both.flatMap(({ run }) => Object.keys(run.result.metrics ?? {})))];
  const without = (/** @type {string} */ id) => requery({ ids: ids.filter((each) => !id.startsWith(each)).join(",") });
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("runs.compare.differences")}>
    <table>
      <thead>
        <tr>
          <th scope="col">${t("runs.compare.differences")}</th>
          ${both.map(
            ({ run }, at) => html`<th key=${run.id} scope="col"><i class="swatch inline" style=${{ background: `var(${SERIES[at % SERIES.length]})` }}></i> <a href=${link("runs", run.id)}>${run.about} ${run.id.slice(0, 4)}</a>
              <${Button} kind="quiet" icon="close" label=${t("runs.compare.without", { id: run.id })} onClick=${() => without(run.id)} /></th>`,
          )}
        </tr>
      </thead>
      <tbody>
        <tr><th scope="row">${t("runs.state")}</th>${both.map(({ run }) => html`<td key=${run.id}><${StateBadge} state=${run.state} /></td>`)}</tr>
        ${metrics.map((name) => html`<tr key=${name}><th scope="row">${valueName(name)}</th>${both.map(({ run }) => html`<td key=${run.id} class="number start">${number(run.result.metrics?.[name]?.value, 4)}</td>`)}</tr>`)}
        ${keys.map((key) => html`<tr key=${key}><th scope="row"><code>${key}</code></th>${flat.map((each, at) => html`<td key=${at}>${each[key] ?? "–"}</td>`)}</tr>`)}
        ${!keys.length && both.length > 1 && html`<tr><td colspan=${both.length + 1} class="muted">${t("runs.compare.same")}</td></tr>`}
      </tbody>
    </table>
  </div>`;
}

/**
 * @param {any} table
 * @param {string} [prefix]
 * @returns {{[key: string]: string}}
 */
function flattened(table, prefix = "") {
  return Object.assign(
    {},
    ...Object.entries(table).map(([key, value]) =>
      value && typeof value === "object" && !Array.isArray(value) ? flattened(value, `${prefix}${key}.`) : { [prefix + key]: JSON.stringify(value) },
    ),
  );
}
