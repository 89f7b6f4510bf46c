import { Heading } from "../../components/heading.js";
import { Empty } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { html } from "../../view.js";

export default function Page() {
  return html`<${Heading} title=${t("nav.try")} /><${Empty} title=${t("soon.title")} text=${t("soon.text")} />`;
}
