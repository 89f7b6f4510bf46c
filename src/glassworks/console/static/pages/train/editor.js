/** The job as a form beside its file; either follows the other, and problems are marked in both. */
import { useAction } from "../../action.js";
import { post } from "../../api.js";
import { Button } from "../../components/button.js";
import { CodeArea } from "../../components/code.js";
import { Confirm } from "../../components/dialog.js";
import { SelectField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote, Skeleton } from "../../components/notices.js";
import { Fields, SchemaForm } from "../../components/schema_form.js";
import { connection, restored } from "../../connection.js";
import { Said } from "../../components/said.js";
import { has, t } from "../../i18n.js";
import { said } from "../../service_texts.js";
import { go, link } from "../../router.js";
import { may } from "../../session.js";
import { useResource } from "../../resource.js";
import { html, useEffect, useState } from "../../view.js";

/** @typedef {ReturnType<typeof import("./job.js").useJob>} Job */

/** @param {{job: Job, data: string, begin: () => void}} props */
export function Editor({ job, data, begin }) {
  if (!job.toml && job.error) {
    const id = data.replace(/^uploaded:/, "");
    const unclear = data.startsWith("uploaded:") && job.error.status < 500;
    return html`<${ProblemNote} error=${job.error} onRetry=${unclear ? undefined : begin} />
      ${unclear && html`<div class="actions"><${Button} kind="primary" icon="data" href=${link("data", id, { ask: "1" })}>${t("train.ask")}<//></div>`}`;
  }
  if (!job.toml) return html`<${Skeleton} lines=${8} />`;
  return html`<${Start} job=${job} data=${data} />
    ${job.error && html`<${ProblemNote} error=${job.error} onRetry=${job.again} />`}
    ${job.reasons.length > 0 && html`<ul class="muted reasons">${job.reasons.map((each) => html`<li key=${each.text}>${said("train", each)}</li>`)}</ul>`}
    <div class="two editor">
      <${Card} title=${t("train.form")}>
        <${FamilyField} job=${job} />
        ${job.schema
          ? html`<fieldset disabled=${!job.readable}>
              <legend class="unseen">${t("train.form")}</legend>
              <${Settings} job=${job} schema=${job.schema} />
            </fieldset>`
          : html`<${Skeleton} />`}
      <//>
      <${Card} title=${t("train.toml")} lead=${job.readable ? null : t("train.unreadable")}>
        <${CodeArea} label=${t("train.toml")} value=${job.toml} onInput=${job.write} faults=${job.faults} rows=${Math.min(40, Math.max(16, job.toml.split("\n").length + 2))} />
        <${Problems} job=${job} />
      <//>
    </div>`;
}

/** Keys that everybody decides upon; a column is one where the job names it. */
const ALWAYS = ["name", "training.budget", "optimization.minimize"];
const COLUMNS = ["data.text", "data.label", "data.user", "data.item", "data.time"];

/**
 * The few keys that one needs, and behind a line all others.
 * @param {{job: Job, schema: import("../../types").Schema}} props
 */
function Settings({ job, schema }) {
  const columns = COLUMNS.filter((key) => job.table.data?.[key.slice(5)] !== undefined);
  const first = [ALWAYS[0], ...columns, ...ALWAYS.slice(1)];
  const form = { root: schema, value: job.table, onChange: job.change, faults: job.faults, texts: "train.field" };
  const wrong = job.faults.some((each) => each.key && each.key !== "family" && !first.includes(each.key));
  const given = keysOf(job.table).filter((key) => !["family", "data.source", ...first].includes(key)).length;
  return html`<${Fields} ...${form} paths=${first} />
    <details class="group more" open=${wrong || given > 0}>
      <summary><span>${t("train.more")}</span>${wrong ? html`<span class="tag wrong">${t("form.wrong")}</span>` : html`<span class="muted">${given ? t("form.given", { n: given }) : t("train.more.text")}</span>`}</summary>
      <${SchemaForm} ...${form} hide=${["family", "serving", ...first]} />
    </details>`;
}

/**
 * Paths of what a table holds.
 * @param {{[key: string]: any}} table
 * @returns {string[]}
 */
const keysOf = (table) =>
  Object.entries(table).flatMap(([key, value]) => (value && typeof value === "object" && !Array.isArray(value) ? keysOf(value).map((inner) => `${key}.${inner}`) : [key]));

/** @param {{job: Job, data: string}} props */
function Start({ job, data }) {
  const [kind, setKind] = useState("");
  const [asking, setAsking] = useState(false);
  const [anew, setAnew] = useState(false);
  const start = useAction(async (/** @type {string} */ kind) => {
    setKind(kind);
    /** @type {import("../../types").Run} */
    const run = await post("/runs", { kind, request: { job: job.table } }, { idempotent: true });
    go(link("runs", run.id));
  });
  const away = connection.value !== "live";
  const back = restored.value;
  useEffect(() => {
    if (back && job.error) job.again();
  }, [back]);
  const ready = job.valid && job.readable && !job.checking && !job.error && !away && may("operator");
  const state = away || job.error ? "unchecked" : job.checking ? "checking" : !job.valid ? "invalid" : "valid";
  return html`<div class="card starting">
    <div class="row spread">
      <p role="status" class=${`verdict-line ${state}`}>${t(`train.state.${state}`, { n: job.faults.length })}</p>
      <div class="actions">
        ${data && html`<${Button} kind="quiet" icon="again" onClick=${() => setAsking(true)}>${t("train.over")}<//>`}
        <${Button} disabled=${!ready || start.busy} busy=${start.busy && kind === "train"} onClick=${() => start.go("train")}>${t("train.only")}<//>
        <${Button} kind="primary" icon="play" disabled=${!ready || start.busy} busy=${start.busy && kind === "release"} onClick=${() => start.go("release")}>${t("train.start")}<//>
      </div>
    </div>
    ${!may("operator") && html`<p class="muted">${t("train.forbidden")}</p>`}
    ${start.error && html`<${ProblemNote} error=${start.error} />`}
    ${asking && html`<${Confirm} title=${t("train.over.title")} text=${t("train.over.text")} action=${t("train.over")} danger run=${async () => job.draft(data)} onClose=${() => setAsking(false)} />`}
  </div>`;
}

/** @param {{job: Job}} props Families that learn from such data. */
function FamilyField({ job }) {
  /** @type {import("../../resource.js").Resource<{items: import("../../types").Family[]}>} */
  const families = useResource("/jobs/families");
  const items = families.value?.items ?? [];
  const chosen = items.find((each) => each.family === job.table.family);
  const shown = chosen ? items.filter((each) => each === chosen || fits(each, chosen)) : items;
  const options = shown.map((each) => ({ value: each.family, label: familyName(each.family) }));
  const fault = job.faults.find((each) => each.key === "family") ?? null;
  const about = chosen && (has(`train.family.${chosen.family}.text`) ? t(`train.family.${chosen.family}.text`) : chosen.summary);
  const needs = chosen?.missing.length ? { key: "family", problem: t("train.needs", { libraries: chosen.missing.join(", ") }), mend: t("train.needs.mend") } : null;
  if (!chosen) options.unshift({ value: String(job.table.family ?? ""), label: String(job.table.family ?? "") });
  return html`<div class="family">
    <${SelectField} label=${t("train.family")} hint=${about} fault=${fault ?? needs} value=${String(job.table.family ?? "")} options=${options}
      onInput=${(/** @type {string} */ family) => change(job, family)} />
  </div>`;
}

/** What labelled texts are for, and texts without labels: neither learns from the other's. */
const APART = ["text-classification", "text-generation"];

/**
 * Whether a family learns from data that another one learns from.
 * @param {import("../../types").Family} each
 * @param {import("../../types").Family} chosen
 */
function fits(each, chosen) {
  const apart = each.task !== chosen.task && APART.includes(each.task) && APART.includes(chosen.task);
  return each.data_kind === chosen.data_kind && !apart;
}

/**
 * Another family, whose table of the model has other keys.
 * @param {Job} job
 * @param {string} family
 */
function change(job, family) {
  job.change(["model"], undefined);
  job.change(["family"], family);
}

/** @param {string} family */
const familyName = (family) => (has(`train.family.${family}`) ? t(`train.family.${family}`) : family);

/** @param {{job: Job}} props */
function Problems({ job }) {
  const lines = job.toml.split("\n");
  const jump = (/** @type {any} */ event, /** @type {number} */ line) => {
    const area = event.currentTarget.closest(".card").querySelector("textarea");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + lines[line - 1].length);
  };
  return html`<ul class="problems" aria-live="polite">
    ${job.faults.map(
      (each, at) => html`<li key=${at}>
        <div>
          <p class="problem">${each.line ? html`<button type="button" class="line" onClick=${(/** @type {any} */ event) => jump(event, Number(each.line))}>${t("train.line", { line: each.line })}</button> ` : ""}${each.key && !each.problem.includes(each.key) && html`<code>${each.key}</code> `}<${Said} of=${each.problem} /></p>
          <p class="muted"><${Said} of=${each.mend} /></p>
        </div>
      </li>`,
    )}
    ${job.warnings.map((each) => html`<li key=${each} class="warned"><p><${Said} of=${each} /></p></li>`)}
  </ul>`;
}
