/** The same request from a terminal and from a program. */
import { CodeBlock } from "../../components/code.js";
import { Card } from "../../components/heading.js";
import { t } from "../../i18n.js";
import { session } from "../../session.js";
import { html } from "../../view.js";
import { pathOf } from "./asking.js";

const KEY = "YOUR_KEY";

/** @param {{model: import("./asking.js").Model, input: import("./asking.js").Tensor, file?: string}} props `file` where a picture is sent. */
export function SameRequest({ model, input, file }) {
  const name = (file ?? "").replaceAll(/["'$`\\]/g, "_");
  const body = { name: input.name, shape: [1], datatype: "BYTES", data: [file ? "" : input.data[0]] };
  return html`<${Shown} curl=${file ? curlOfFile(model, body, name) : curlOf(`${pathOf(model)}/infer`, { inputs: [body] })}
    python=${file ? pythonOfFile(model, body, name) : pythonOf(`${pathOf(model)}/infer`, { inputs: [body] })} explains=${model.explainers.length > 0} />`;
}

/** @param {{path: string, body: any}} props Any request with a body in JSON. */
export const JsonRequest = ({ path, body }) => html`<${Shown} curl=${curlOf(path, body)} python=${pythonOf(path, body)} />`;

/** @param {{curl: string, python: string, explains?: boolean}} props */
function Shown({ curl, python, explains }) {
  return html`<${Card} title=${t("try.request")}>
    <details class="requests">
      <summary>${t("try.request.show")}</summary>
      ${explains && html`<p class="muted">${t("try.request.explain")}</p>`} ${guarded() && html`<p class="muted">${t("try.request.key", { key: KEY })}</p>`}
      <h3>curl</h3>
      <${CodeBlock} text=${curl} label="curl" wrap />
      <h3>Python</h3>
      <${CodeBlock} text=${python} label="Python" />
    </details>
  <//>`;
}

const guarded = () => session.value?.open === false;
/** @param {string} text Within single quotes of a shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const header = () => (guarded() ? ` -H 'Authorization: Bearer ${KEY}'` : "");

/** @param {string} path @param {any} body */
const curlOf = (path, body) => `curl ${location.origin}${path}${header()} \\\n  -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;

/** @param {import("./asking.js").Model} model @param {any} body @param {string} file */
function curlOfFile(model, body, file) {
  const [before, after] = JSON.stringify({ inputs: [body] }).split('[""]');
  return `base64 -w0 "${file}" | (echo -n ${quoted(`${before}["`)}; cat; echo ${quoted(`"]${after}`)}) |\n  curl ${location.origin}${pathOf(model)}/infer${header()} \\\n  -H 'Content-Type: application/json' -d @-`;
}

/** @param {string} path @param {any} body */
const pythonOf = (path, body) => `import requests

answer = requests.post(
    ${JSON.stringify(location.origin + path)},
    json=${literal(body)},${pythonHeader()}
)
print(answer.json())`;

/** @param {import("./asking.js").Model} model @param {any} body @param {string} file */
const pythonOfFile = (model, body, file) => `import base64
import requests

with open(${JSON.stringify(file)}, "rb") as file:
    picture = base64.b64encode(file.read()).decode()
answer = requests.post(
    ${JSON.stringify(`${location.origin}${pathOf(model)}/infer`)},
    json=${literal({ inputs: [body] }).replace('[""]', "[picture]")},${pythonHeader()}
)
print(answer.json())`;

const pythonHeader = () => (guarded() ? `\n    headers={"Authorization": "Bearer ${KEY}"},` : "");

/** @param {any} value JSON, as Python writes it. @returns {string} */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}
