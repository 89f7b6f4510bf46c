/** Try it: ask a model that is served, and see why it answers so. */
import { get, post } from "../../api.js";
import { useAction } from "../../action.js";
import { Button } from "../../components/button.js";
import { Card, Heading } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote, Skeleton, toast } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { has, t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { go, link, requery } from "../../router.js";
import { may } from "../../session.js";
import { spoken } from "../../service_texts.js";
import { html, useEffect, useState } from "../../view.js";
import { describe } from "./asking.js";

/** How each task is tried; loaded when it is needed. */
const WAYS = {
  "image-classification": () => import("./pictures.js"),
  "image-to-image": () => import("./picture_to_picture.js"),
  "text-classification": () => import("./texts.js"),
  "text-embedding": () => import("./embeddings.js"),
  "text-generation": () => import("./chat.js"),
  recommendation: () => import("./recommendations.js"),
};

/** @param {{rest: string[], query: {[name: string]: string}}} props `from=run` serves the model without asking. */
export default function TryPage({ rest, query }) {
  if (!rest[0]) return html`<${Chooser} />`;
  const [name, version = ""] = rest[0].split("@");
  return html`<${Described} key=${rest[0]} name=${name} version=${version} from=${query.from} />`;
}

function Chooser() {
  /** @type {import("../../resource.js").Resource<any[]>} */
  const served = useLoaded((signal) => post("/v2/repository/index", { ready: true }, { signal }), "index");
  return html`<${Heading} title=${t("nav.try")} lead=${t("try.lead")} />
    <${Loaded} of=${served}>${(/** @type {any[]} */ found) => html`<${Choices} names=${[...new Set(found.map((each) => each.name))]} />`}<//>`;
}

/** @param {{names: string[]}} props */
function Choices({ names }) {
  const [tasks, setTasks] = useState(/** @type {{[name: string]: string}} */ ({}));
  useEffect(() => {
    for (const name of names) {
      get(`/v2/models/${encodeURIComponent(name)}`).then(
        (/** @type {any} */ about) => setTasks((/** @type {any} */ was) => ({ ...was, [name]: about.properties.task })),
        () => undefined,
      );
    }
  }, []);
  useEffect(() => {
    if (names.length === 1) go(link("try", names[0]), true);
  }, []);
  if (!names.length) {
    return html`<${Empty} icon="try" title=${t("try.none")} text=${may("operator") && t("try.none.text")}>
      ${may("operator") && html`<${Button} kind="primary" href=${link("serve")}>${t("try.none.serve")}<//><${Button} href=${link("train")}>${t("try.none.train")}<//>`}
    <//>`;
  }
  return html`<ul class="choices">
    ${names.map(
      (name) => html`<li key=${name}>
        <a class="choice" href=${link("try", name)}><b>${name}</b><span class="muted">${taskOf(tasks[name])}</span></a>
      </li>`,
    )}
  </ul>`;
}

/** @param {string | undefined} task */
const taskOf = (task) => (task && has(`try.task.${task}`) ? t(`try.task.${task}`) : (task ?? "…"));

/** @param {{name: string, version: string, from?: string}} props */
function Described({ name, version, from }) {
  /** @type {import("../../resource.js").Resource<import("./asking.js").Model>} */
  const model = useLoaded((signal) => describe(name, version, signal), `${name}@${version}`);
  const title = version ? `${name}@${version}` : name;
  const tags = model.value && html`<${Tag}>${t("try.version", { version: model.value.answers })}<//><${Tag}>${taskOf(model.value.task)}<//>`;
  return html`<${Heading} title=${title} back=${{ href: link("try"), text: t("try.all") }}>
      ${tags}${may("viewer") && html`<${Button} kind="quiet" href=${link("models", name)}>${t("nav.models")}<//>`}
    <//>
    ${model.error?.status === 404
      ? html`<${Offer} reference=${title} automatic=${from === "run"} onServed=${model.reload} said=${model.error} />`
      : html`<${Loaded} of=${model}>${(/** @type {any} */ value) => html`<${Way} model=${value} />`}<//>`}`;
}

/** A model that is not served: to be served. @param {{reference: string, automatic: boolean, onServed: () => void, said: any}} props */
function Offer({ reference, automatic, onServed, said }) {
  const serve = useAction(async () => {
    await post("/deployments", { reference });
    toast(t("try.served", { model: reference }));
    onServed();
  });
  useEffect(() => {
    if (!automatic || !may("operator")) return;
    requery({ from: undefined }); // whoever comes back to this address is asked
    serve.go();
  }, []);
  if (serve.busy) return html`<${Card} title=${t("try.serving", { model: reference })}><${Skeleton} lines=${2} /><//>`;
  return html`<${Empty} icon="serve" title=${t("try.unserved", { model: reference })} text=${may("operator") ? t("try.serve.text") : spoken(said.problem)}>
      ${may("operator") && html`<${Button} kind="primary" icon="play" onClick=${() => serve.go()}>${t("try.serve")}<//>`}
      <${Button} href=${link("try")}>${t("try.others")}<//>
    <//>
    ${serve.error && html`<${ProblemNote} error=${serve.error} onRetry=${() => serve.go()} />`}
    ${!may("operator") && html`<${ProblemNote} kind="warning" problem=${t("try.unserved.viewer")} mend=${t("try.unserved.viewer.mend")} />`}`;
}

/** @param {{model: import("./asking.js").Model}} props */
function Way({ model }) {
  const way = WAYS[/** @type {keyof typeof WAYS} */ (model.task)];
  /** @type {import("../../resource.js").Resource<any>} */
  const loaded = useLoaded(() => (way ? way() : Promise.reject(new Error(t("try.task.unknown", { task: model.task })))), model.task);
  return html`<${Loaded} of=${loaded}>${(/** @type {any} */ module) => html`<${module.default} model=${model} />`}<//>`;
}
