/** Home: whether everything runs, what needs somebody, what is served and what is being worked on. */
import { follow } from "../../events.js";
import { Button } from "../../components/button.js";
import { Card, Heading } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Empty, Loaded } from "../../components/notices.js";
import { milliseconds, number } from "../../format.js";
import { has, t } from "../../i18n.js";
import { said } from "../../service_texts.js";
import { link } from "../../router.js";
import { useResource } from "../../resource.js";
import { may } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";
import { RunLines } from "./run_lines.js";

export default function HomePage() {
  /** @type {import("../../resource.js").Resource<import("../../types").Status>} */
  const status = useResource("/status");
  const { reload } = status;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), 10_000);
    return () => clearInterval(timer);
  }, []);
  return html`<${Heading} title=${t("nav.home")} />
    <${Loaded} of=${status} lines=${2}>${(/** @type {any} */ value) => html`<${Verdict} status=${value} />`}<//>
    <${Served} />
    <${RunLines} onChange=${reload} />`;
}

/**
 * What somebody should look at, and what to do, in the language of the moment.
 * @param {import("../../types").Need} of
 * @param {string} part
 * @param {string} text
 */
const need = ({ code, values }, part, text) => {
  const known = has(`kind.${values.kind}`) ? { ...values, kind: t(`kind.${values.kind}`) } : values;
  return said("home", { code: `need.${code}${part}`, values: known, text });
};

/** @param {{status: import("../../types").Status}} props */
function Verdict({ status }) {
  const needs = status.needs;
  return html`<section class=${needs.length ? "verdict needs" : "verdict"} aria-label=${t("home.verdict")}>
    <p class="sentence"><${Icon} name=${needs.length ? "warning" : "check"} />${needs.length ? t("home.needs", { n: needs.length }) : t("home.well")}</p>
    <ul>
      ${needs.map(
        (each) => html`<li key=${each.code + each.subject}>
          <div><b>${need(each, "", `${each.subject}: ${each.problem}`)}</b><span>${need(each, ".mend", each.mend)}</span></div>
          ${each.link && html`<${Button} href=${each.link}>${t("home.look")}<//>`}
        </li>`,
      )}
    </ul>
  </section>`;
}

function Served() {
  /** @type {[any, any]} */
  const [statistics, setStatistics] = useState(null);
  const first = useResource("/statistics");
  useEffect(() => {
    const stream = follow("/statistics/stream", ({ data }) => setStatistics(data));
    return stream.close;
  }, []);
  return html`<${Card} title=${t("home.served")} actions=${html`<a href=${link("serve")}>${t("home.serve")}</a>`}>
    <${Loaded} of=${first} lines=${3}>${(/** @type {any} */ value) => html`<${ServedTable} statistics=${statistics ?? value} />`}<//>
  <//>`;
}

/** @param {{statistics: import("../../types").Statistics}} props */
function ServedTable({ statistics }) {
  if (!statistics.models.length) {
    return html`<${Empty} icon="models" title=${t("home.none")} text=${may("operator") && t("home.none.text")}>
      ${may("operator") && html`<${Button} kind="primary" href=${link("train")}>${t("home.none.train")}<//><${Button} href=${link("data")}>${t("home.none.data")}<//>`}
    <//>`;
  }
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("home.served")}>
    <table class="fixed">
      <thead>
        <tr>
          <th scope="col">${t("home.model")}</th>
          <th scope="col" class="number">${t("home.rate")}</th>
          <th scope="col" class="number wide-only">${t("home.p50")}</th>
          <th scope="col" class="number">${t("home.p99")}</th>
          <th scope="col" class="number">${t("home.errors")}</th>
          <th scope="col" class="wide-only"><span class="unseen">${t("nav.try")}</span></th>
        </tr>
      </thead>
      <tbody>
        ${statistics.models.map(
          (each) => html`<tr key=${each.model + each.version}>
            <td><a href=${link("models", each.model)}>${each.model}</a> <span class="muted wide-only">${t("home.version", { version: each.version })}</span></td>
            <td class="number">${number(each.requests_per_s, 1)}</td>
            <td class="number wide-only">${milliseconds(each.p50_ms)}</td>
            <td class="number">${milliseconds(each.p99_ms)}</td>
            <td class=${each.errors ? "number bad" : "number"}>${number(each.errors)}</td>
            <td class="wide-only"><a href=${link("try", each.model)}>${t("nav.try")}</a></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
