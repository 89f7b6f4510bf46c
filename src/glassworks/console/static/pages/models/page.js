/** Models: all of them, the versions of one, one version, and two beside each other. */
import { html } from "../../view.js";
import { ComparePage } from "./compare.js";
import { ModelList } from "./list.js";
import { ModelPage } from "./model.js";
import { VersionPage } from "./version.js";

/** @param {import("../index.js").PageProps} props */
export default function ModelsPage({ rest: [name, version], query }) {
  if (!name) return html`<${ModelList} query=${query} />`;
  if (version) return html`<${VersionPage} key=${`${name}@${version}`} name=${name} version=${version} tab=${query.tab ?? "overview"} />`;
  if (query.a && query.b) return html`<${ComparePage} key=${`${query.a} ${query.b}`} name=${name} a=${query.a} b=${query.b} />`;
  return html`<${ModelPage} key=${name} name=${name} />`;
}
