/** What a table is, and which of its columns hold what: asked where it is unclear, or where somebody knows better. */
import { post } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { SelectField } from "../../components/fields.js";
import { ProblemNote } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { go, link } from "../../router.js";
import { store, stored } from "../../stored.js";
import { html, useState } from "../../view.js";

/** @typedef {import("../../types").DataItem} DataItem */
/** @typedef {import("../../types").DataDetail} DataDetail */
/** @typedef {import("../../types").DataColumn} DataColumn */
/** @typedef {{[role: string]: string}} Roles */

/** The keys of a job's data that name columns; the first ones must be there. */
const ROLES = /** @type {{[kind: string]: string[]}} */ ({ texts: ["text", "label"], interactions: ["user", "item", "time", "weight"] });
const NEEDED = /** @type {{[kind: string]: string[]}} */ ({ texts: ["text"], interactions: ["user", "item"] });
/** What such columns are often called. */
const NAMES = /** @type {{[role: string]: RegExp}} */ ({
  user: /用户|顾客|客户|会员|读者|买家|user|customer|client|member|buyer|visitor/i,
  item: /商品|物品|产品|货品|图书|电影|item|product|goods|sku|book|movie|article/i,
  time: /日期|时间|日$|date|time|when/i,
  weight: /评分|数量|次数|rating|stars|score|quantity/i,
  text: /文本|内容|评论|评价|正文|句子|text|review|comment|content|message/i,
  label: /标签|类别|分类|情感|label|class|category|sentiment/i,
});

/** Where the button to a model leads: to the question first, where it is unclear what the data are. @param {DataItem} item */
export const trainLink = (item) => (item.kind ? link("train", { data: item.source }) : link("data", item.id ?? item.source, { ask: "1" }));

/** Whether a job can be written without asking. @param {DataDetail} item */
export function isClear({ kind, columns, roles }) {
  if (!kind) return false;
  return !columns?.length || (NEEDED[kind] ?? []).every((role) => roles?.[role]);
}

/**
 * Columns by their names, those of known roles first; none twice.
 * @param {DataColumn[]} columns
 * @param {string} kind
 * @param {Roles} known
 */
function guessed(columns, kind, known) {
  /** @type {Roles} */
  const found = {};
  const free = (/** @type {DataColumn} */ each) => !Object.values(found).includes(each.name);
  for (const role of ROLES[kind]) if (known[role]) found[role] = known[role];
  for (const role of ROLES[kind]) {
    const named = columns.find((each) => free(each) && NAMES[role].test(each.name));
    if (!found[role] && named) found[role] = named.name;
  }
  for (const role of NEEDED[kind]) {
    const left = columns.filter(free);
    const likely = role === "text" ? left.sort((a, b) => lengthOf(b) - lengthOf(a))[0] : left[0];
    if (!found[role] && likely) found[role] = likely.name;
  }
  return found;
}

/** @param {DataColumn} column */
const lengthOf = (column) => column.sample.join("").length;

/** What the table most likely is: with a name for users and one for items, who chose what. @param {DataDetail} item */
function kindOf({ kind, columns }) {
  if (kind && ROLES[kind]) return kind;
  const named = (/** @type {string} */ role) => columns.some((each) => NAMES[role].test(each.name));
  return !named("text") && (named("user") || named("item")) ? "interactions" : "texts";
}

/**
 * @param {{item: DataDetail, onClose: () => void, onChosen?: (how: {kind: string, columns: Roles}) => Promise<any>}} props `onChosen`
 *   does something else than to train with them.
 */
export function ColumnsDialog({ item, onClose, onChosen }) {
  const known = item.roles ?? {};
  const [kind, setKind] = useState(() => /** @type {string} */ (kindOf(item)));
  const [chosen, setChosen] = useState(() => guessed(item.columns, kind, known));
  const missing = NEEDED[kind].filter((role) => !chosen[role]);
  const names = item.columns.map((each) => ({ value: each.name, label: each.sample.length ? `${each.name} (${each.sample[0].slice(0, 24)})` : each.name }));
  const none = { value: "", label: t("data.column.none") };
  const action = useAction(async () => {
    const how = { kind, columns: Object.fromEntries(ROLES[kind].map((role) => [role, chosen[role] ?? ""])) };
    if (onChosen) return onChosen(how);
    await drafted(item, how);
    go(link("train", { data: item.source }));
  });
  const take = (/** @type {string} */ next) => {
    setKind(next);
    setChosen(guessed(item.columns, next, known));
  };
  return html`<${Dialog} title=${t("data.otherwise.title")} onClose=${onClose}>
    <p class="muted">${t("data.otherwise.text")}</p>
    <${SelectField} label=${t("data.kind")} value=${kind} onInput=${take}
      options=${Object.keys(ROLES).map((each) => ({ value: each, label: t(`data.kind.${each}`) }))} />
    ${ROLES[kind].map(
      (role) => html`<${SelectField} key=${role} label=${t(`data.role.${role}`)} value=${chosen[role] ?? ""}
        options=${NEEDED[kind].includes(role) && chosen[role] ? names : [none, ...names]}
        onInput=${(/** @type {string} */ name) => setChosen(moved(chosen, role, name))} />`,
    )}
    ${missing.length > 0 && html`<p class="muted">${t("data.otherwise.missing", { roles: missing.map((role) => t(`data.role.${role}`)).join(t("data.otherwise.and")) })}</p>`}
    ${action.error && html`<${ProblemNote} error=${action.error} />`}
    <div class="actions end">
      <${Button} onClick=${onClose}>${t("action.cancel")}<//>
      <${Button} kind="primary" icon=${onChosen ? "check" : "train"} busy=${action.busy} disabled=${missing.length > 0} onClick=${action.go}>${t(onChosen ? "data.check.go" : "data.otherwise.go")}<//>
    </div>
  <//>`;
}

/**
 * One column has one role: another that had it gets what this one had.
 * @param {Roles} chosen
 * @param {string} role
 * @param {string} name
 */
function moved(chosen, role, name) {
  const other = name && Object.keys(chosen).find((each) => each !== role && chosen[each] === name);
  return { ...chosen, ...(other ? { [other]: chosen[role] ?? "" } : {}), [role]: name };
}

/**
 * A job with these columns, where the Train page takes up what was last written for these data.
 * @param {DataDetail} item
 * @param {{kind: string, columns: Roles}} how
 */
async function drafted(item, how) {
  /** @type {import("../../types").Draft} */
  const draft = await post("/jobs/draft", { data: item.source, ...how });
  store("train.toml", draft.toml);
  store("train.data", item.source);
  store("train.columns", JSON.stringify({ data: item.source, ...how }));
}

/**
 * How these data are to be read, where that was said in this browser; else nothing.
 * @param {string} source
 */
export function chosenOf(source) {
  const { data, ...how } = JSON.parse(stored("train.columns") ?? "{}");
  return data === source ? how : undefined;
}
