/** What one fills in. Each has a label, a hint and its problem, which is read aloud with it. */
import { html, useId } from "../view.js";
import { Icon } from "./icon.js";
import { Said } from "./said.js";

/** @typedef {import("../types").Fault} Fault */
/**
 * @typedef {object} Common
 * @property {string} label
 * @property {any} [hint]
 * @property {Fault | null} [fault]
 * @property {boolean} [disabled]
 */

/** @param {Common & {id: string, children?: any, inline?: boolean}} props */
function Field({ id, label, hint, fault, inline, children }) {
  return html`<div class=${`field ${inline ? "inline" : ""} ${fault ? "wrong" : ""}`}>
    <label for=${id}>${label}</label>
    ${children}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${fault &&
    html`<p class="fault" id=${`${id}-fault`}><${Icon} name="warning" /><span><${Said} of=${fault.problem} /> <span class="mend"><${Said} of=${fault.mend} /></span></span></p>`}
  </div>`;
}

/**
 * @param {string} id
 * @param {Common} props
 */
function said(id, { hint, fault, disabled }) {
  const by = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return { id, disabled, "aria-invalid": fault ? "true" : null, "aria-describedby": by || null };
}

/** @param {Common & {value: string, onInput: (value: string) => void, type?: string, placeholder?: string, [other: string]: any}} props */
export function TextField({ label, hint, fault, disabled, value, onInput, type = "text", ...more }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  return html`<${Field} id=${id} ...${given}>
    <input type=${type} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${said(id, given)} ...${more} />
  <//>`;
}

/** @param {Common & {value: string, onInput: (value: string) => void, rows?: number, placeholder?: string, [other: string]: any}} props */
export function TextArea({ label, hint, fault, disabled, value, onInput, rows = 4, ...more }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  return html`<${Field} id=${id} ...${given}>
    <textarea rows=${rows} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${said(id, given)} ...${more}></textarea>
  <//>`;
}

/**
 * A number; `null` where nothing is given.
 * @param {Common & {value: number | null, onInput: (value: number | null) => void, placeholder?: string, whole?: boolean, [other: string]: any}} props
 */
export function NumberField({ label, hint, fault, disabled, value, onInput, whole, ...more }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  const input = (/** @type {any} */ event) => {
    const text = event.currentTarget.value;
    onInput(text === "" ? null : Number(text));
  };
  return html`<${Field} id=${id} ...${given}>
    <input type="number" inputmode=${whole ? "numeric" : "decimal"} step=${whole ? 1 : "any"} value=${value ?? ""} onInput=${input} ...${said(id, given)} ...${more} />
  <//>`;
}

/** @param {Common & {value: string, options: {value: string, label: any}[], onInput: (value: string) => void, [other: string]: any}} props */
export function SelectField({ label, hint, fault, disabled, value, options, onInput, ...more }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  return html`<${Field} id=${id} ...${given}>
    <select value=${value} onChange=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${said(id, given)} ...${more}>
      ${options.map((each) => html`<option key=${each.value} value=${each.value} selected=${each.value === value}>${each.label}</option>`)}
    </select>
  <//>`;
}

/** @param {Common & {value: boolean, onInput: (value: boolean) => void}} props */
export function CheckField({ label, hint, fault, disabled, value, onInput }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  return html`<${Field} id=${id} inline ...${given}>
    <input type="checkbox" checked=${value} onChange=${(/** @type {any} */ event) => onInput(event.currentTarget.checked)} ...${said(id, given)} />
  <//>`;
}

/** @param {Common & {value: number, min: number, max: number, step?: number, show: (value: number) => any, onInput: (value: number) => void}} props */
export function SliderField({ label, hint, fault, disabled, value, min, max, step = 1, show, onInput }) {
  const id = useId();
  const given = { label, hint, fault, disabled };
  return html`<${Field} id=${id} ...${given}>
    <div class="slider">
      <input type="range" min=${min} max=${max} step=${step} value=${value} onInput=${(/** @type {any} */ event) => onInput(Number(event.currentTarget.value))} ...${said(id, given)} />
      <output for=${id} class="number">${show(value)}</output>
    </div>
  <//>`;
}

/**
 * Files, chosen or dropped.
 * @param {{label: any, hint?: any, accept?: string, many?: boolean, folder?: boolean, capture?: string, onFiles: (files: File[]) => void, children?: any}} props
 */
export function DropField({ label, hint, accept, many, folder, capture, onFiles, children }) {
  const id = useId();
  const chosen = (/** @type {any} */ event) => {
    onFiles([...event.currentTarget.files]);
    event.currentTarget.value = "";
  };
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    /** @type {HTMLElement} */ (event.currentTarget).classList.toggle("over", event.type === "dragover");
    if (event.type === "drop" && event.dataTransfer) onFiles([...event.dataTransfer.files]);
  };
  return html`<div class="drop" onDragOver=${over} onDragLeave=${over} onDrop=${over}>
    <${Icon} name="upload" />
    <input class="unseen" id=${id} type="file" accept=${accept} multiple=${many} webkitdirectory=${folder} capture=${capture} onChange=${chosen} />
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint">${hint}</p>`} ${children}
  </div>`;
}
