/** The frame: navigation, the state of the connection, language, theme, and the page of the address. */
import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { Toasts } from "../components/notices.js";
import { LANGUAGES, language, speak, t } from "../i18n.js";
import { PAGES } from "../pages/index.js";
import { link, route } from "../router.js";
import { asking, session, signedOut } from "../session.js";
import { remove } from "../api.js";
import { switchTheme, theme } from "../theme.js";
import { html, useEffect, useState } from "../view.js";
import { ConnectionLine } from "./connection_line.js";
import { Outlet } from "./outlet.js";
import { SignIn } from "./sign_in.js";

export function Shell() {
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [route.value]);
  return html`<a class="skip" href="#main" onClick=${toMain}>${t("shell.skip")}</a>
    <header class="top">
      <${Button} kind="quiet" icon=${open ? "close" : "menu"} label=${t("shell.menu")} aria-expanded=${open} aria-controls="nav" onClick=${() => setOpen(!open)} />
      <a class="brand" href="#/">Glassworks</a>
    </header>
    <aside class=${open ? "side open" : "side"} id="nav" aria-label=${t("shell.side")} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && setOpen(false)}>
      <a class="brand" href="#/">Glassworks</a>
      <nav aria-label=${t("shell.navigation")}>
        <ul>
          ${PAGES.map(
            ({ id, icon }) => html`<li key=${id}>
              <a href=${link(id === "home" ? "" : id)} aria-current=${route.value.page === id ? "page" : null}><${Icon} name=${icon} />${t(`nav.${id}`)}</a>
            </li>`,
          )}
        </ul>
      </nav>
      <${Foot} />
    </aside>
    <main id="main">
      <${ConnectionLine} />
      <${Outlet} />
    </main>
    <${Toasts} />
    ${asking.value && html`<${SignIn} />`}`;
}

function Foot() {
  const who = session.value;
  const leave = async () => {
    await remove("/session");
    signedOut();
  };
  return html`<div class="foot">
    ${who && !who.open && html`<p class="who"><${Icon} name="user" /><span>${who.name}</span><${Button} kind="quiet" onClick=${leave}>${t("session.leave")}<//></p>`}
    ${who?.open && html`<p class="who muted">${t("session.open")}</p>`}
    <div class="row">
      <select class="small" aria-label=${t("shell.language")} value=${language.value} onChange=${(/** @type {any} */ event) => speak(event.currentTarget.value)}>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<option key=${code} value=${code} lang=${code} selected=${code === language.value}>${name}</option>`)}
      </select>
      <${Button} kind="quiet" icon=${theme.value === "dark" ? "sun" : "moon"} label=${t(theme.value === "dark" ? "shell.light" : "shell.dark")} onClick=${switchTheme} />
      <a class="api" href="/docs">${t("shell.api")}</a>
    </div>
    ${who && html`<p class="muted version">Glassworks ${who.version}</p>`}
  </div>`;
}

/** The address holds the page: the link moves the focus without changing it. @param {Event} event */
function toMain(event) {
  event.preventDefault();
  /** @type {HTMLElement | null} */ (document.querySelector("#main h1"))?.focus();
}
