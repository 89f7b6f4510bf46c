/** Items that somebody likes: found by their titles among those that the model knows best, or given by their ids. */
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useId, useMemo, useRef, useState } from "../../view.js";
import { infer, output, parsed, texts } from "./asking.js";
import { called } from "./reasons.js";
import { idOf } from "./recommendations.js";

/** @typedef {import("./asking.js").Model} Model */
/** @typedef {{item: any, title?: string}} Item */

const SHOWN = 8;

/**
 * The items that are liked most: whom the data does not know is recommended them.
 * @param {Model} model
 * @returns {Item[]}
 */
function useItems(model) {
  const input = texts(model, JSON.stringify({ user: "somebody unknown", k: 1000, reasons: 0, seen: "include" }));
  /** @type {import("../../resource.js").Resource<Item[]>} */
  const items = useLoaded(async (signal) => parsed(String(output(await infer(model, input, signal), "recommendations")?.data[0])).items, `${model.name}@${model.version} items`);
  return items.value ?? [];
}

/** @param {{model: Model, liked: Item[], onLiked: (liked: Item[]) => void}} props */
export function LikedField({ model, liked, onLiked }) {
  const id = useId();
  const items = useItems(model);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const found = useMemo(() => matching(items, text, liked), [items, text, liked]);
  const add = (/** @type {Item | undefined} */ item) => {
    if (!item) return;
    onLiked([...liked, item]);
    setText("");
    setAt(0);
    field.current?.focus();
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") setAt(Math.max(0, Math.min(found.length - 1, at + (event.key === "ArrowDown" ? 1 : -1))));
    else if (event.key === "Enter" && text.trim()) add(found[at]);
    else if (event.key === "Escape" && text) setText("");
    else return;
    event.preventDefault();
  };
  const shown = text.trim() !== "" && found.length > 0;
  return html`<div class="field">
    <label for=${id}>${t("try.liked")}</label>
    <input id=${id} ref=${field} type="text" autocomplete="off" role="combobox" aria-expanded=${shown ? "true" : "false"} aria-controls=${`${id}-list`} aria-autocomplete="list"
      aria-activedescendant=${shown ? `${id}-${at}` : null} aria-describedby=${`${id}-hint`} value=${text}
      onInput=${(/** @type {any} */ event) => (setText(event.currentTarget.value), setAt(0))} onKeyDown=${key} />
    <p class="hint" id=${`${id}-hint`}>${items.length ? t("try.liked.hint", { n: items.length }) : t("try.liked.ids")}</p>
    <ul class="found" id=${`${id}-list`} role="listbox" aria-label=${t("try.liked")} hidden=${!shown}>
      ${found.map((each, row) => html`<li key=${String(each.item)} id=${`${id}-${row}`} role="option" aria-selected=${row === at ? "true" : "false"} onMouseDown=${(/** @type {Event} */ event) => (event.preventDefault(), add(each))}>${called(each)} <span class="muted">${each.title ? String(each.item) : ""}</span></li>`)}
    </ul>
    ${liked.length > 0 && html`<ul class="chips">
      ${liked.map((each) => html`<li key=${String(each.item)}><${Icon} name="check" />${called(each)}<${Button} kind="quiet" icon="close" label=${t("try.liked.remove", { item: called(each) })} onClick=${() => onLiked(liked.filter((one) => one !== each))} /></li>`)}
    </ul>`}
  </div>`;
}

/**
 * Titles that begin so, then titles that hold it, then the id itself.
 * @param {Item[]} items
 * @param {string} text
 * @param {Item[]} liked
 */
function matching(items, text, liked) {
  const sought = text.trim().toLocaleLowerCase();
  if (!sought) return [];
  const free = items.filter((each) => !liked.some((one) => String(one.item) === String(each.item)));
  const name = (/** @type {Item} */ each) => called(each).toLocaleLowerCase();
  const begin = free.filter((each) => name(each).startsWith(sought) || String(each.item) === sought);
  const within = free.filter((each) => !begin.includes(each) && name(each).includes(sought));
  const found = [...begin, ...within].slice(0, SHOWN);
  const isId = /^\d+$/.test(sought) && !found.some((each) => String(each.item) === sought);
  return found.length && !isId ? found : [...found, { item: idOf(text.trim()) }];
}
