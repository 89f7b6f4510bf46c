/** A text of the service in the language of the moment; what no catalog has stays English, and is marked as such. */
import { t } from "../i18n.js";
import { worded } from "../service_texts.js";
import { html } from "../view.js";

/** @param {{of: string | undefined}} props */
export function Said({ of }) {
  if (typeof of !== "string") return of ?? null;
  const { text, known } = worded(of);
  return known ? text : html`<span lang="en">${of}</span> <span class="foreign">${t("service.english")}</span>`;
}
