/** A question over the page. The browser keeps the focus within it, and Escape closes it. */
import { t } from "../i18n.js";
import { html, useEffect, useId, useRef, useState } from "../view.js";
import { Button } from "./button.js";
import { ProblemNote } from "./notices.js";

/** @param {{title: string, onClose?: () => void, children?: any, wide?: boolean}} props Shown while it is rendered. */
export function Dialog({ title, onClose, children, wide }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    element.current?.showModal();
    return () => before?.focus?.();
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose?.();
  };
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby=${id} onCancel=${cancel}>
    <div class="row spread">
      <h2 id=${id}>${title}</h2>
      ${onClose && html`<${Button} kind="quiet" icon="close" label=${t("action.close")} onClick=${onClose} />`}
    </div>
    ${children}
  </dialog>`;
}

/**
 * Asks before something is done.
 * @param {{title: string, text?: any, action: string, danger?: boolean, run: () => Promise<any>, onClose: () => void}} props
 */
export function Confirm({ title, text, action, danger, run, onClose }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const go = async () => {
    setBusy(true);
    try {
      await run();
      onClose();
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${text && html`<p>${text}</p>`} ${error && html`<${ProblemNote} error=${error} />`}
    <div class="actions end">
      <${Button} onClick=${onClose}>${t("action.cancel")}<//>
      <${Button} kind=${danger ? "danger" : "primary"} busy=${busy} onClick=${go}>${action}<//>
    </div>
  <//>`;
}
