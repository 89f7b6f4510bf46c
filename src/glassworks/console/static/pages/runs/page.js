/** Runs: all of them, one of them, or some on one chart. */
import { html } from "../../view.js";
import { ComparedRuns } from "./compared_runs.js";
import { RunList } from "./run_list.js";
import { RunView } from "./run_view.js";

/** @param {import("../index.js").PageProps} props `#/runs`, `#/runs/ID`, `#/runs/compare?ids=ID,ID`. */
export default function RunsPage({ rest, query }) {
  if (rest[0] === "compare") return html`<${ComparedRuns} ids=${(query.ids ?? "").split(",").filter(Boolean)} name=${query.name ?? ""} />`;
  if (rest[0]) return html`<${RunView} key=${rest[0]} id=${rest[0]} tab=${query.tab ?? ""} />`;
  return html`<${RunList} state=${query.state ?? ""} kind=${query.kind ?? ""} />`;
}
