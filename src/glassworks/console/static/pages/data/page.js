/** Data: what there is to learn from, what is added to it, and what is wrong with it. */
import { html } from "../../view.js";
import { DataItemPage } from "./item.js";
import { DataList } from "./list.js";

/** @param {import("../index.js").PageProps} props `?ask=1` asks what the data are. */
export default function DataPage({ rest, query }) {
  return rest.length ? html`<${DataItemPage} key=${rest[0]} id=${rest[0]} ask=${!!query.ask} />` : html`<${DataList} />`;
}
