/** Data: what there is to learn from, what is added to it, and what is wrong with it. */
import { html } from "../../view.js";
import { DataItemPage } from "./item.js";
import { DataList } from "./list.js";

/** @param {import("../index.js").PageProps} props */
export default function DataPage({ rest }) {
  return rest.length ? html`<${DataItemPage} key=${rest[0]} id=${rest[0]} />` : html`<${DataList} />`;
}
