/** How far something is, and in which state. */
import { t } from "../i18n.js";
import { html } from "../view.js";

/** @param {{value: number, total: number | null, label: string}} props Without a total it only says that it goes on. */
export function Progress({ value, total, label }) {
  const share = total ? Math.min(1, value / total) : null;
  const said = share === null ? {} : { "aria-valuenow": Math.round(share * 100), "aria-valuemin": 0, "aria-valuemax": 100 };
  return html`<div class=${share === null ? "progress unknown" : "progress"} role="progressbar" aria-label=${label} ...${said}>
    <span style=${{ transform: share === null ? "" : `scaleX(${share})` }}></span>
  </div>`;
}

/** The state of a run. @param {{state: import("../types").State, cancelling?: boolean}} props */
export function StateBadge({ state, cancelling }) {
  return html`<span class=${`badge ${state}`}><i aria-hidden="true"></i>${cancelling ? t("state.cancelling") : t(`state.${state}`)}</span>`;
}

/** A short word in a frame. @param {{children?: any, kind?: string}} props */
export const Tag = ({ children, kind = "" }) => html`<span class=${`tag ${kind}`}>${children}</span>`;
