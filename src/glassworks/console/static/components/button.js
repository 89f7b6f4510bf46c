/** What one presses: a button, or with `href` a link that looks like one. */
import { classes, html } from "../view.js";
import { Icon } from "./icon.js";

/**
 * @param {{
 *   kind?: "primary" | "plain" | "danger" | "quiet", icon?: string, label?: string, busy?: boolean, disabled?: boolean,
 *   href?: string, type?: string, onClick?: (event: any) => void, children?: any, [other: string]: any,
 * }} props `label` names a button that shows nothing but its icon.
 */
export function Button({ kind = "plain", icon, label, busy, disabled, href, type = "button", class: added, children, ...more }) {
  const inside = html`${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}`;
  const look = classes("button", kind, busy && "busy", !children && "only-icon", added);
  if (href) return html`<a class=${look} href=${href} aria-label=${label} title=${label} ...${more}>${inside}</a>`;
  return html`<button
    class=${look}
    type=${type}
    disabled=${disabled || busy}
    aria-busy=${busy ? "true" : null}
    aria-label=${label}
    title=${label}
    ...${more}
  >
    ${inside}
  </button>`;
}
