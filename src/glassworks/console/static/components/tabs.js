/** Views of one thing: arrow keys go from one to the next. */
import { html, useRef } from "../view.js";

/**
 * @param {{tabs: {id: string, label: any}[], selected: string, onSelect: (id: string) => void, label: string, children?: any}} props
 */
export function Tabs({ tabs, selected, onSelect, label, children }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const move = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const at = tabs.findIndex((each) => each.id === selected);
    const next = (at + by + tabs.length) % tabs.length;
    onSelect(tabs[next].id);
    /** @type {HTMLElement | undefined} */ (list.current?.children[next])?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
      ${tabs.map(
        (each) => html`<button
          key=${each.id}
          type="button"
          role="tab"
          id=${`tab-${each.id}`}
          aria-selected=${each.id === selected}
          aria-controls="tab-panel"
          tabindex=${each.id === selected ? 0 : -1}
          onClick=${() => onSelect(each.id)}
        >
          ${each.label}
        </button>`,
      )}
    </div>
    <div id="tab-panel" role="tabpanel" aria-labelledby=${`tab-${selected}`}>${children}</div>`;
}
