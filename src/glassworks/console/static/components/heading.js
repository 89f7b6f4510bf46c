/** The head of a page: its title, a sentence, and what one can do with all of it. */
import { t } from "../i18n.js";
import { arrived } from "../router.js";
import { html, useEffect, useRef } from "../view.js";

/** @param {{title: any, lead?: any, back?: {href: string, text: string}, children?: any}} props */
export function Heading({ title, lead, back, children }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (arrived() && !document.activeElement?.closest("main")) element.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    if (typeof title === "string") document.title = t("title", { page: title });
  }, [title]);
  return html`<header class="heading">
    ${back && html`<a class="back" href=${back.href}>${back.text}</a>`}
    <div class="row spread">
      <h1 tabindex="-1" ref=${element}>${title}</h1>
      ${children && html`<div class="actions">${children}</div>`}
    </div>
    ${lead && html`<p class="lead">${lead}</p>`}
  </header>`;
}

/** A part of a page with a title. @param {{title?: any, lead?: any, actions?: any, children?: any, class?: string}} props */
export function Card({ title, lead, actions, children, class: more = "" }) {
  return html`<section class=${`card ${more}`}>
    ${(title || actions) &&
    html`<div class="row spread card-head">${title && html`<h2>${title}</h2>`}${actions && html`<div class="actions">${actions}</div>`}</div>`}
    ${lead && html`<p class="muted">${lead}</p>`}
    ${children}
  </section>`;
}

/** A number with what it is. @param {{label: string, value: any, note?: any}} props */
export function Figure({ label, value, note }) {
  return html`<div class="figure">
    <dt>${label}</dt>
    <dd class="number">${value}</dd>
    ${note && html`<dd class="note-line">${note}</dd>`}
  </div>`;
}

/** Figures side by side. @param {{children?: any}} props */
export const Figures = ({ children }) => html`<dl class="figures">${children}</dl>`;
