/** What is said beside the contents: problems with their mends, empty pages, what is being read, passing notes. */
import { t } from "../i18n.js";
import { classes, html, signal } from "../view.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";
import { Said } from "./said.js";

/**
 * A problem and its mend: an error that was caught, or both lines themselves.
 * @param {{error?: any, problem?: string, mend?: string, onRetry?: () => void, kind?: "error" | "warning", children?: any}} props
 */
export function ProblemNote({ error, problem, mend, onRetry, kind = "error", children }) {
  const first = problem ?? error?.problem ?? error?.message ?? String(error);
  const second = mend ?? error?.mend ?? t("error.retry");
  return html`<div class=${classes("note", kind)} role="alert">
    <${Icon} name="warning" />
    <div>
      <p class="problem"><${Said} of=${first} /></p>
      <p class="mend"><${Said} of=${second} /></p>
      ${error?.errors?.length > 0 &&
      html`<ul class="faults">
        ${error.errors.map(
          (/** @type {import("../types").Fault} */ each) =>
            html`<li><code>${each.key}</code> <${Said} of=${each.problem} /> <span class="mend"><${Said} of=${each.mend} /></span></li>`,
        )}
      </ul>`}
      ${children}
    </div>
    ${onRetry && html`<${Button} icon="again" onClick=${onRetry}>${t("action.retry")}<//>`}
  </div>`;
}

/**
 * Nothing is here yet: says what to do first.
 * @param {{title: string, text?: any, icon?: string, children?: any}} props
 */
export function Empty({ title, text, icon = "info", children }) {
  return html`<div class="empty">
    <${Icon} name=${icon} />
    <h2>${title}</h2>
    ${text && html`<p>${text}</p>`}
    ${children && html`<div class="actions">${children}</div>`}
  </div>`;
}

/** Stands where contents will be. @param {{lines?: number, height?: string}} props */
export function Skeleton({ lines = 4, height }) {
  return html`<div class="skeleton" role="status" aria-label=${t("state.loading")}>
    ${Array.from({ length: lines }, (_, row) => html`<span key=${row} style=${height ? { height } : null}></span>`)}
  </div>`;
}

/**
 * What was read, or that it is being read, or why it could not be.
 * @param {{of: import("../resource.js").Resource<any>, children: (value: any) => any, lines?: number}} props
 */
export function Loaded({ of, children, lines }) {
  const { value, error, reload } = of;
  if (value === undefined) return error ? html`<${ProblemNote} error=${error} onRetry=${reload} />` : html`<${Skeleton} lines=${lines} />`;
  return html`${error && html`<${ProblemNote} error=${error} onRetry=${reload} />`}${children(value)}`;
}

/** @type {import("../vendor/signals.js").Signal<{id: number, text: string, kind: string}[]>} */
const toasts = signal([]);
let made = 0;

/**
 * A passing note at the edge of the screen.
 * @param {string} text
 * @param {"done" | "error"} [kind]
 */
export function toast(text, kind = "done") {
  const id = ++made;
  toasts.value = [...toasts.value, { id, text, kind }];
  setTimeout(() => dismiss(id), kind === "error" ? 10_000 : 5_000);
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.value.filter((each) => each.id !== id);
}

/** Where passing notes appear; the shell has one. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      ({ id, text, kind }) => html`<div class=${classes("toast", kind)} key=${id}>
        <${Icon} name=${kind === "error" ? "warning" : "check"} /><span><${Said} of=${text} /></span>
        <${Button} kind="quiet" icon="close" label=${t("action.close")} onClick=${() => dismiss(id)} />
      </div>`,
    )}
  </div>`;
}
