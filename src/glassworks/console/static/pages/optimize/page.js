/** Optimize: a goal and limits, and the candidates as they are measured. */
import { get } from "../../api.js";
import { Button } from "../../components/button.js";
import { SelectField } from "../../components/fields.js";
import { Card, Heading } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote } from "../../components/notices.js";
import { Said } from "../../components/said.js";
import { date } from "../../format.js";
import { t } from "../../i18n.js";
import { useLoaded, useResource } from "../../resource.js";
import { link, requery } from "../../router.js";
import { followRuns, isOpen } from "../../runs.js";
import { may } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";
import { CandidateCard } from "./candidate.js";
import { measuredOf, metricOf, nothing, ofReport, quantitiesOf } from "./found.js";
import { GoalForm, firstGoal, objectiveOf } from "./goal.js";
import { SearchState, useSearch } from "./search.js";
import { TradeOff } from "./trade_off.js";
import { nameOf, shown } from "./words.js";

/** @typedef {import("./found.js").Found} Found */

/** @param {{rest: string[], query: {[name: string]: string}}} props `run`: the search that is shown. */
export default function OptimizePage({ rest, query }) {
  if (!rest[0]) return html`<${Chooser} />`;
  return html`<${OfModel} key=${rest[0]} reference=${rest[0]} query=${query} />`;
}

function Chooser() {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<any>>} */
  const models = useResource("/models", { limit: 200 });
  return html`<${Heading} title=${t("nav.optimize")} lead=${t("optimize.lead")} />
    <${Loaded} of=${models}>
      ${(/** @type {any} */ page) => page.items.length
        ? html`<ul class="choices">${page.items.map((/** @type {any} */ each) => html`<li key=${each.name}><a class="choice" href=${link("optimize", each.name)}><b>${each.name}</b><span class="muted">${each.family}</span></a></li>`)}</ul>`
        : html`<${Empty} icon="optimize" title=${t("optimize.none")} text=${may("operator") && t("optimize.none.text")}>${may("operator") && html`<${Button} kind="primary" href=${link("train")}>${t("nav.train")}<//>`}<//>`}
    <//>`;
}

/** What is known of a model before anything is searched. @param {string} reference @param {AbortSignal} signal */
async function known(reference, signal) {
  const [name, given] = reference.split("@");
  const path = `/models/${encodeURIComponent(name)}/versions`;
  /** @type {any} */
  const version = given ? { version: given } : (/** @type {any} */ (await get(path, { signal, query: { limit: 1 } })).items[0]);
  return get(`${path}/${encodeURIComponent(version.version)}`, { signal });
}

/** @param {{reference: string, query: {[name: string]: string}}} props */
function OfModel({ reference, query }) {
  /** @type {import("../../resource.js").Resource<any>} */
  const version = useLoaded((signal) => known(reference, signal), reference);
  const [name, given] = reference.split("@");
  const of = version.value?.version ?? given;
  return html`<${Heading} title=${of ? t("optimize.title", { name, version: of }) : name} lead=${t("optimize.lead")} back=${{ href: link("optimize"), text: t("optimize.all") }} />
    <${Loaded} of=${version}>${(/** @type {any} */ value) => html`<${Searched} reference=${reference} version=${value} query=${query} />`}<//>`;
}

/** @param {{reference: string, version: any, query: {[name: string]: string}}} props */
function Searched({ reference, version, query }) {
  const before = version.report ? ofReport(version.report) : nothing();
  const [goal, setGoal] = useState(() => firstGoal(before, version));
  const search = useSearch(query.run ?? "");
  const start = (/** @type {string} */ run) => requery({ run, point: "" });
  const form = !query.run;
  const found = query.run ? (search.value?.found ?? nothing()) : before;
  const within = form ? objectiveOf(goal).within : found.within;
  const run = search.value?.run ?? null;
  const model = version.reference ?? reference;
  return html`<${Earlier} of=${version} only=${reference.includes("@")} shown=${query.run ?? ""} />
    ${form && html`<${GoalForm} model=${model} known=${before} version=${version} goal=${goal} onGoal=${setGoal} onStarted=${start} />`}
    <${Card} title=${t(form ? "optimize.before" : "optimize.found")}>
      ${search.error && html`<${ProblemNote} error=${search.error} onRetry=${search.reload} />`}
      ${run && html`<${SearchState} run=${run} onAgain=${() => requery({ run: "", point: "" })} />`}
      <${Picture} found=${found} within=${within} minimize=${form ? goal.minimize : found.minimize} query=${query} waiting=${!!query.run && !search.error && (!run || isOpen(run)) && !measuredOf(found).length} />
    <//>
    ${found.candidates.some((each) => each.name === query.point) &&
    html`<${CandidateCard} key=${query.point} model=${run?.request.model ?? model} found=${found} candidate=${found.candidates.find((each) => each.name === query.point)} run=${run} onStarted=${start} />`}`;
}

/**
 * Searches of the version, or of all versions of its model, as they go on.
 * @param {{of: import("../../types").Version, only: boolean, shown: string}} props
 */
function Earlier({ of, only, shown: id }) {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<import("../../types").Run>>} */
  const runs = useResource("/runs", { kind: "optimize", limit: 200 });
  useEffect(() => {
    if (id && runs.value && !runs.value.items.some((each) => each.id === id)) runs.reload();
  }, [id]);
  useEffect(() => followRuns(runs.change), []);
  const names = [String(of.version), ...of.aliases];
  const own = (runs.value?.items ?? []).filter((each) => {
    if (each.kind !== "optimize") return false;
    const [name, version = ""] = String(each.request.model).split("@");
    return name === of.name && (!only || names.includes(version));
  });
  if (!own.length) return null;
  const versionOf = (/** @type {import("../../types").Run} */ run) => String(run.request.model).split("@")[1];
  const options = [
    { value: "", label: t("optimize.new") },
    ...own.map((each) => ({ value: each.id, label: [date(each.created_at), versionOf(each) && t("optimize.search.of", { version: versionOf(each) }), t(`state.${each.state}`)].filter(Boolean).join(" · ") })),
  ];
  if (id && !own.some((each) => each.id === id)) options.push({ value: id, label: id });
  return html`<div class="earlier"><${SelectField} label=${t("optimize.searches")} value=${id} options=${options} onInput=${(/** @type {string} */ run) => requery({ run, point: "" })} /></div>`;
}

/** @param {{found: Found, within: string[], minimize: string, query: {[name: string]: string}, waiting: boolean}} props */
function Picture({ found, within, minimize, query, waiting }) {
  const quantities = quantitiesOf(found);
  if (!quantities.length) {
    const key = waiting ? "optimize.waiting" : found.candidates.length ? "optimize.impossible" : "optimize.unmeasured";
    return html`<${Empty} icon="optimize" title=${t(key)} text=${t(`${key}.text`)} />
      ${found.candidates.length > 0 && html`<ul class="notes">${found.candidates.map((each) => html`<li key=${each.name}><b>${each.name}</b> <span class="muted"><${Said} of=${each.excluded} /></span></li>`)}</ul>`}`;
  }
  const wanted = minimize.startsWith("latency") && !minimize.includes("@") ? `${minimize}@1` : minimize;
  const y = query.y && quantities.includes(query.y) ? query.y : metricOf(found);
  const x = query.x && quantities.includes(query.x) ? query.x : quantities.includes(wanted) ? wanted : "size";
  const options = quantities.map((value) => ({ value, label: nameOf(value) }));
  const pick = (/** @type {string} */ point) => requery({ point });
  return html`<div class="fields axes-of">
      <${SelectField} label=${t("optimize.x")} value=${x} options=${options} onInput=${(/** @type {string} */ value) => requery({ x: value })} />
      <${SelectField} label=${t("optimize.y")} value=${y} options=${options} onInput=${(/** @type {string} */ value) => requery({ y: value })} />
    </div>
    <${TradeOff} found=${found} x=${x} y=${y} within=${within} picked=${query.point ?? ""} onPick=${pick} />
    <p class="hint">${t("optimize.pick")}</p>
    <details><summary>${t("chart.table")}</summary><${AsTable} found=${found} quantities=${quantities} picked=${query.point ?? ""} onPick=${pick} /></details>
    ${found.notes.length > 0 && html`<ul class="notes">${found.notes.map((each) => html`<li key=${each} class="muted"><${Said} of=${each} /></li>`)}</ul>`}`;
}

/** @param {{found: Found, quantities: string[], picked: string, onPick: (name: string) => void}} props */
function AsTable({ found, quantities, picked, onPick }) {
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("optimize.candidates")}>
    <table>
      <thead><tr><th scope="col">${t("optimize.candidate")}</th>${quantities.map((each) => html`<th key=${each} scope="col" class="number">${nameOf(each)}</th>`)}</tr></thead>
      <tbody>
        ${found.candidates.map((each) => html`<tr key=${each.name} class=${each.name === picked ? "marked" : ""}>
          <td><button type="button" class="ask-why" onClick=${() => onPick(each.name)}>${each.name}</button>${each.name === found.chosen ? ` ✓ ${t("optimize.legend.chosen")}` : ""}${each.excluded && html` <span class="muted"><${Said} of=${each.excluded} /></span>`}</td>
          ${quantities.map((quantity) => html`<td key=${quantity} class="number">${shown(quantity, each.values[quantity])}</td>`)}
        </tr>`)}
      </tbody>
    </table>
  </div>`;
}
