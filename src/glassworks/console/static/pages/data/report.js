/** What a check found, as pictures: findings, the two splits, copies, contradictions, labels that look wrong. */
import { Bars } from "../../components/bars.js";
import { Button } from "../../components/button.js";
import { Figure, Figures } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Tabs } from "../../components/tabs.js";
import { number, percent } from "../../format.js";
import { Said } from "../../components/said.js";
import { has, t } from "../../i18n.js";
import { said } from "../../service_texts.js";
import { html, useState } from "../../view.js";
import { Thumb } from "./examples.js";
import { Suspects } from "./suspects.js";

/** @typedef {import("../../types").DataReport} DataReport */
/** @typedef {import("../../types").ShownExample} ShownExample */

const EACH = 12;

/** @param {{report: DataReport, id: string}} props */
export function Report({ report, id }) {
  const copies = report.examples - report.distinct;
  return html`<${Figures}>
      <${Figure} label=${t("data.examples")} value=${number(report.examples)} />
      <${Figure} label=${t("data.distinct")} value=${number(report.distinct)} note=${copies > 0 && percent(report.distinct / report.examples)} />
      ${Object.entries(report.numbers ?? {}).filter(([key, value]) => typeof value === "number" && has(`data.number.${key}`)).map(
        ([key, value]) => html`<${Figure} key=${key} label=${t(`data.number.${key}`)} value=${number(value)} />`,
      )}
    <//>
    <${Findings} findings=${report.findings} />
    ${report.honest_split && report.random_split && html`<${Splits} honest=${report.honest_split} random=${report.random_split} />`}
    <${Lists} report=${report} id=${id} />`;
}

/** @param {{findings: (import("../../types").Sentence | string)[]}} props */
function Findings({ findings }) {
  if (!findings.length) return html`<p class="finding good"><${Icon} name="check" /> ${t("data.findings.none")}</p>`;
  return html`<h3>${t("data.findings")}</h3>
    <ul class="findings">${findings.map((each, at) => html`<li key=${at}><${Icon} name="warning" /><span>${said("data", each)}</span></li>`)}</ul>`;
}

/** @param {{honest: import("../../types").Metric, random: import("../../types").Metric}} props */
function Splits({ honest, random }) {
  const rows = [
    { label: t("data.split.honest"), value: honest.value, interval: honest.interval, note: t("data.split.n", { n: honest.examples ?? 0 }) },
    { label: t("data.split.random"), value: random.value, interval: random.interval, note: t("data.split.n", { n: random.examples ?? 0 }) },
  ];
  const apart = honest.interval && random.interval && random.interval[0] > honest.interval[1];
  const key = apart ? "leaks" : random.value > honest.value ? "perhaps" : "same";
  const values = { honest: percent(honest.value), random: percent(random.value), points: number((random.value - honest.value) * 100, 1) };
  return html`<section class="splits">
    <h3>${t("data.split")}</h3>
    <p class=${apart ? "warn" : "muted"}>${t(`data.split.${key}`, values)}</p>
    <${Bars} label=${t("data.split")} rows=${rows} most=${1} format=${(/** @type {number} */ value) => percent(value)} />
  </section>`;
}

/** @param {{report: DataReport, id: string}} props */
function Lists({ report, id }) {
  const lists = [
    { key: "duplicates", list: report.duplicates },
    { key: "contradictions", list: report.contradictions },
    { key: "candidates", list: report.candidates },
    { key: "unreadable", list: report.unreadable },
  ].filter((each) => (each.list?.total ?? 0) > 0);
  const [chosen, setChosen] = useState("");
  if (!lists.length) return null;
  const selected = lists.some((each) => each.key === chosen) ? chosen : lists[0].key;
  const tabs = lists.map(({ key, list }) => ({ id: key, label: html`${t(`data.list.${key}`)} <span class="muted number">${number(list?.total)}</span>` }));
  return html`<${Tabs} tabs=${tabs} selected=${selected} onSelect=${setChosen} label=${t("data.lists")}>
    <p class="muted">${t(`data.list.${selected}.text`)}</p>
    ${selected === "duplicates" && html`<${Some} list=${report.duplicates} children=${(/** @type {any} */ each) => html`<${Side} id=${id} examples=${each.pair} note=${t(each.exact ? "data.copy.exact" : "data.copy.near")} />`} />`}
    ${selected === "contradictions" && html`<${Some} list=${report.contradictions} children=${(/** @type {any} */ each) => html`<${Side} id=${id} examples=${each} />`} />`}
    ${selected === "candidates" && report.candidates && html`<${Suspects} list=${report.candidates} id=${id} />`}
    ${selected === "unreadable" && html`<ul class="text-lines">${report.unreadable.items.map((each) => html`<li key=${each.name}><code>${each.name}</code> <span class="muted"><${Said} of=${each.reason} /></span></li>`)}</ul>`}
  <//>`;
}

/** The first of a list, and more by a button. @param {{list: {total: number, items: any[]}, children: (item: any) => any}} props */
function Some({ list, children }) {
  const [shown, setShown] = useState(EACH);
  const more = Math.min(list.items.length, shown + EACH * 4);
  return html`<ul class="sides">${list.items.slice(0, shown).map((each, at) => html`<li key=${at}>${children(each)}</li>`)}</ul>
    ${shown < list.items.length && html`<${Button} icon="down" onClick=${() => setShown(more)}>${t("data.more")}<//>`}
    ${list.total > list.items.length && shown >= list.items.length && html`<p class="muted">${t("data.list.first", { n: list.items.length, total: list.total })}</p>`}`;
}

/** Examples beside each other. @param {{id: string, examples: ShownExample[], note?: string}} props */
function Side({ id, examples, note }) {
  const labels = new Set(examples.map((each) => each.label));
  return html`${note && html`<span class="tag">${note}</span>`}
    <div class="side-by-side">
      ${examples.map(
        (each, at) => html`<figure key=${at}>
          ${each.text !== null && each.text !== undefined ? html`<blockquote>${each.text}</blockquote>` : html`<${Thumb} src=${pictureOf(id, each)} label=${each.name} />`}
          <figcaption>${each.label && html`<b class=${labels.size > 1 ? "bad" : ""}>${each.label}</b>`} <span class="muted cut" title=${each.name}>${each.name}</span></figcaption>
        </figure>`,
      )}
    </div>`;
}

/**
 * Where the thumbnail of an example lies; empty where it has none.
 * @param {string} id
 * @param {ShownExample} example
 */
export function pictureOf(id, example) {
  return example.index === null || example.index === undefined ? "" : `/api/v1/data/${encodeURIComponent(id)}/pictures/${example.index}`;
}
