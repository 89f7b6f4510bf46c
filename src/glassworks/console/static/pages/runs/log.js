/** What a run wrote: it stays at the end while one looks at the end. */
import { Button } from "../../components/button.js";
import { Empty } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { html, useLayoutEffect, useRef } from "../../view.js";

/** @param {{history: import("./history.js").History}} props */
export function Log({ history }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [history.number]);
  const scrolled = () => {
    const element = box.current;
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  };
  if (!history.lines.length) return html`<${Empty} icon="runs" title=${t("runs.log.none")} />`;
  const text = history.lines.join("\n");
  const save = () => saved(`${history.run.id}.log`, text);
  return html`<pre class="log" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-label=${t("runs.tab.log")}>${text}</pre>
    <div class="actions end"><${Button} icon="download" onClick=${save}>${t("runs.log.save")}<//></div>`;
}

/**
 * @param {string} name
 * @param {string} text
 */
function saved(name, text) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
