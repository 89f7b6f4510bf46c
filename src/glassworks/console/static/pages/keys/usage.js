/** What was used: by day as columns, stacked by key or by model, with the sums as a table and all of it as a file. */
import { get } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote } from "../../components/notices.js";
import { number } from "../../format.js";
import { t } from "../../i18n.js";
import { useResource } from "../../resource.js";
import { requery } from "../../router.js";
import { save } from "../../save.js";
import { html, useMemo } from "../../view.js";
import { daysBetween, nameOf, Stacked, stackedBy } from "./stacked.js";

/** @typedef {import("../../types").Used} Used */

const COUNTS = ["requests", "errors", "rows", "tokens"];
const SPANS = [7, 30, 90];

/** @param {{query: {[name: string]: string}}} props */
export function Usage({ query }) {
  const to = query.to || today();
  const from = query.from || before(to, 29);
  const by = query.by === "model" ? "model" : "key";
  const count = COUNTS.includes(query.count) ? query.count : COUNTS[0];
  const asked = { from, to, by: "day,key,model" };
  /** @type {import("../../resource.js").Resource<{items: Used[], counted?: boolean}>} */
  const usage = useResource("/usage", asked);
  const csv = useAction(async () => save(`usage-${from}-${to}.csv`, await get("/usage", { query: { ...asked, by: "day,key,model,version,verb", format: "csv" }, accept: "text/csv" })));
  const actions = html`<${Button} icon="download" busy=${csv.busy} onClick=${csv.go}>${t("keys.csv")}<//>`;
  return html`<${Card} title=${t("keys.usage")} actions=${actions}>
    ${csv.error && html`<${ProblemNote} error=${csv.error} />`}
    <div class="row usage-choice">
      <span class="actions" role="group" aria-label=${t("keys.span")}>
        ${SPANS.map((days) => html`<${Button} key=${days} aria-pressed=${to === today() && from === before(to, days - 1)} onClick=${() => requery({ from: before(today(), days - 1), to: "" })}>${t("keys.days", { n: days })}<//>`)}
      </span>
      <label>${t("keys.first")} <input type="date" value=${from} max=${to} onChange=${(/** @type {any} */ event) => requery({ from: event.currentTarget.value })} /></label>
      <label>${t("keys.last")} <input type="date" value=${to} min=${from} onChange=${(/** @type {any} */ event) => requery({ to: event.currentTarget.value })} /></label>
      <label>${t("keys.by")} <select class="small" value=${by} onChange=${(/** @type {any} */ event) => requery({ by: event.currentTarget.value })}>
        ${["key", "model"].map((each) => html`<option key=${each} value=${each}>${t(`keys.by.${each}`)}</option>`)}
      </select></label>
      <label>${t("keys.count")} <select class="small" value=${count} onChange=${(/** @type {any} */ event) => requery({ count: event.currentTarget.value })}>
        ${COUNTS.map((each) => html`<option key=${each} value=${each}>${t(`keys.count.${each}`)}</option>`)}
      </select></label>
    </div>
    <${Loaded} of=${usage}>${(/** @type {{items: Used[], counted?: boolean}} */ value) => html`<${Shown} items=${value.items} counted=${value.counted !== false} by=${by} count=${count} from=${from} to=${to} />`}<//>
  <//>`;
}

/** @param {{items: Used[], counted: boolean, by: "key" | "model", count: string, from: string, to: string}} props */
function Shown({ items, counted, by, count, from, to }) {
  const days = daysBetween(from, to);
  const groups = useMemo(() => stackedBy(items, by, count, days), [items, by, count, from, to]);
  if (!items.length) return html`<${Empty} icon="info" title=${t(counted ? "keys.usage.none" : "keys.usage.uncounted")} text=${t(counted ? "keys.usage.none.text" : "keys.usage.uncounted.text")} />`;
  return html`${!counted && html`<p class="muted">${t("keys.usage.uncounted.text")}</p>`}
    <div class="usage">
      <${Stacked} days=${days} groups=${groups} label=${t("keys.chart", { what: t(`keys.count.${count}`) })} />
      <${Sums} items=${items} by=${by} />
    </div>`;
}

/** @param {{items: Used[], by: "key" | "model"}} props */
function Sums({ items, by }) {
  /** @type {Map<string, any>} */
  const sums = new Map();
  for (const each of items) {
    const name = nameOf(each, by);
    const sum = sums.get(name) ?? { name, requests: 0, errors: 0, rows: 0, tokens: 0 };
    for (const count of COUNTS) sum[count] += each[/** @type {"rows"} */ (count)] ?? 0;
    sums.set(name, sum);
  }
  const rows = [...sums.values()].sort((one, other) => other.requests - one.requests);
  const total = rows.reduce((sum, each) => Object.fromEntries(COUNTS.map((count) => [count, (sum[count] ?? 0) + each[count]])), /** @type {any} */ ({}));
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("keys.sums")}><table>
    <thead><tr><th scope="col">${t(`keys.by.${by}`)}</th>${COUNTS.map((each) => html`<th scope="col" class="number" key=${each}>${t(`keys.count.${each}`)}</th>`)}</tr></thead>
    <tbody>
      ${rows.map((row) => html`<tr key=${row.name}><td>${row.name}</td>${COUNTS.map((each) => html`<td class=${each === "errors" && row[each] ? "number bad" : "number"} key=${each}>${number(row[each])}</td>`)}</tr>`)}
      <tr><td><b>${t("keys.total")}</b></td>${COUNTS.map((each) => html`<td class="number" key=${each}><b>${number(total[each])}</b></td>`)}</tr>
    </tbody>
  </table></div>`;
}

/** Days are counted in UTC, as the service counts them. */
const today = () => new Date().toISOString().slice(0, 10);

/**
 * @param {string} day
 * @param {number} days
 */
const before = (day, days) => new Date(Date.parse(day) - days * 86_400_000).toISOString().slice(0, 10);
