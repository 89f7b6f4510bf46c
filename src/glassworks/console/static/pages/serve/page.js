/** Serve: which versions of a model answer, how well they do, and what goes wrong. */
import { useAction } from "../../action.js";
import { getTagged, post } from "../../api.js";
import { Button } from "../../components/button.js";
import { SelectField } from "../../components/fields.js";
import { Card, Heading } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote, toast } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { useLoaded, usePages, useResource } from "../../resource.js";
import { link } from "../../router.js";
import { may } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";
import { Aliases } from "./aliases.js";
import { Comparison } from "./comparison.js";
import { History, RollBack } from "./history.js";
import { SplitForm } from "./split.js";
import { ShareBar } from "./shares.js";
import { Tail } from "./tail.js";
import { Unload } from "./unload.js";

/** @typedef {import("../../types").Deployment} Deployment */
/** @typedef {{value: Deployment, etag: string}} Tagged */

const EVERY_MS = 2000;

/** @param {{rest: string[]}} props */
export default function ServePage({ rest }) {
  return rest[0] ? html`<${OfModel} key=${rest[0]} name=${rest[0].split("@")[0]} version=${rest[0].split("@")[1]} />` : html`<${All} />`;
}

/** @param {() => void} reload */
function useOften(reload) {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [reload]);
}

function All() {
  /** @type {import("../../resource.js").Resource<import("../../types").Page<Deployment>>} */
  const deployments = useResource("/deployments", { limit: 200 });
  useOften(deployments.reload);
  return html`<${Heading} title=${t("nav.serve")} lead=${t("serve.lead")} />
    <${Loaded} of=${deployments}>${(/** @type {any} */ page) => html`<${Deployments} items=${page.items} />`}<//>
    <${Load} served=${(deployments.value?.items ?? []).filter((each) => each.served.length).map((each) => each.model)} onLoaded=${deployments.reload} />
    <${Tail} model="" />`;
}

/** @param {{items: Deployment[]}} props */
function Deployments({ items }) {
  const served = items.filter((each) => each.served.length);
  if (!served.length) return html`<${Empty} icon="serve" title=${t("serve.none")} text=${may("operator") && t("serve.none.text")} />`;
  return html`<${Card} title=${t("serve.served")}>
    <ul class="deployments">
      ${served.map((each) => {
        const [requests, errors] = [each.served.reduce((sum, one) => sum + one.requests, 0), each.served.reduce((sum, one) => sum + one.errors, 0)];
        return html`<li key=${each.model}>
          <a href=${link("serve", each.model)}><b>${each.model}</b></a>
          <${ShareBar} shares=${each.shares} />
          <span class="number">${t("serve.requests", { n: requests })}</span>
          <span class=${errors ? "number bad" : "number muted"}>${t("serve.errors", { n: errors })}</span>
        </li>`;
      })}
    </ul>
  <//>`;
}

/** A further model of the registry. @param {{served: string[], onLoaded: () => void}} props */
function Load({ served, onLoaded }) {
  /** @type {{items: {name: string}[]}} */
  const models = usePages("/models", { limit: 200 });
  const [chosen, setChosen] = useState("");
  const free = models.items.map((each) => each.name).filter((each) => !served.includes(each));
  const name = free.includes(chosen) ? chosen : (free[0] ?? "");
  const load = useAction(async () => {
    await post("/deployments", { reference: name });
    toast(t("serve.loaded", { model: name }));
    onLoaded();
  });
  if (!may("operator") || !free.length) return null;
  return html`<${Card} title=${t("serve.load.title")}>
    <div class="row end-line">
      <${SelectField} label=${t("serve.model")} value=${name} options=${free.map((value) => ({ value, label: value }))} onInput=${setChosen} />
      <${Button} kind="primary" icon="play" busy=${load.busy} onClick=${() => load.go()}>${t("serve.load")}<//>
    </div>
    ${load.error && html`<${ProblemNote} error=${load.error} />`}
  <//>`;
}

/** @param {{name: string, version?: string}} props The version is one that somebody wants to put into service. */
function OfModel({ name, version }) {
  /** @type {import("../../resource.js").Resource<Tagged>} */
  const deployment = useLoaded((signal) => getTagged(`/deployments/${encodeURIComponent(name)}`, { signal }), name);
  useOften(deployment.reload);
  /** @type {{items: {version: number, aliases: string[]}[]}} */
  const versions = usePages(`/models/${encodeURIComponent(name)}/versions`, { limit: 100 });
  const changed = () => deployment.reload();
  return html`<${Heading} title=${name} lead=${t("serve.model.lead")} back=${{ href: link("serve"), text: t("serve.all") }}>
      <${Button} kind="quiet" icon="try" href=${link("try", name)}>${t("nav.try")}<//>
      ${deployment.value && may("operator") && html`<${RollBack} tagged=${deployment.value} onChanged=${changed} /><${Unload} deployment=${deployment.value.value} onChanged=${changed} />`}
    <//>
    <${Loaded} of=${deployment}>
      ${(/** @type {Tagged} */ tagged) => tagged.value.served.length
        ? html`<${SplitForm} tagged=${tagged} versions=${versions.items} wanted=${version} onChanged=${changed} />
            <${Comparison} deployment=${tagged.value} />`
        : html`<${Out} name=${name} version=${version} onChanged=${changed} />`}
    <//>
    ${deployment.value && html`<${Aliases} name=${name} aliases=${deployment.value.value.aliases} versions=${versions.items} onChanged=${changed} />
      <${History} tagged=${deployment.value} onChanged=${changed} />`}
    <${Tail} model=${name} />`;
}

/** A model that is out of service. @param {{name: string, version?: string, onChanged: () => void}} props */
function Out({ name, version, onChanged }) {
  const reference = version ? `${name}@${version}` : name;
  const load = useAction(async () => {
    await post("/deployments", { reference });
    onChanged();
  });
  return html`<${Empty} icon="serve" title=${t("serve.out", { model: reference })} text=${may("operator") && t("serve.out.text")}>
      ${may("operator") && html`<${Button} kind="primary" icon="play" busy=${load.busy} onClick=${() => load.go()}>${t("serve.load")}<//>`}
    <//>
    ${load.error && html`<${ProblemNote} error=${load.error} />`}`;
}

