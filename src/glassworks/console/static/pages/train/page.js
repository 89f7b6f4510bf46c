/** Train: from what one has to a job, as a form and as a file, and to its run. */
import { Heading } from "../../components/heading.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { html, useEffect } from "../../view.js";
import { ChooseData } from "./choose_data.js";
import { Editor } from "./editor.js";
import { useJob } from "./job.js";

/** @param {import("../index.js").PageProps} props `?data=SOURCE` begins with these data, `?run=ID` with the job
 *   of a run, `?job=new` with what was last written. */
export default function TrainPage({ query }) {
  const job = useJob();
  const data = query.data ?? "";
  const run = query.run ?? "";
  const written = query.job === "new";
  const begin = () => {
    if (data) job.open(data, query.family);
    else if (run) job.repeat(run);
    else if (written) job.restore();
  };
  useEffect(begin, [data, query.family, run, written]);
  if (!data && !run && !written) {
    return html`<${Heading} title=${t("nav.train")} lead=${t("train.lead")} /><${ChooseData} kind=${query.kind ?? ""} />`;
  }
  const back = { href: link("train"), text: t("train.back") };
  return html`<${Heading} title=${t("train.job")} lead=${t("train.job.lead")} back=${back} /><${Editor} job=${job} data=${data} begin=${begin} />`;
}
