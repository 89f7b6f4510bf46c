/** Keys and usage: who may use the service, and who used it how much. */
import { Heading } from "../../components/heading.js";
import { t } from "../../i18n.js";
import { may } from "../../session.js";
import { html } from "../../view.js";
import { KeyList } from "./key_list.js";
import { Usage } from "./usage.js";

/** @param {import("../index.js").PageProps} props `?days=30&by=key&count=requests` are views of the usage. */
export default function KeysPage({ query }) {
  return html`<${Heading} title=${t("nav.keys")} lead=${t("keys.lead")} />
    ${may("admin") ? html`<${KeyList} />` : html`<p class="card">${t("keys.viewer")}</p>`}
    <${Usage} query=${query} />`;
}
