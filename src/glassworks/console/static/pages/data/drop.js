/** Where data are dropped or chosen, and how far what is being sent has come. */
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote } from "../../components/notices.js";
import { Progress } from "../../components/progress.js";
import { bytes, duration, percent } from "../../format.js";
import { t } from "../../i18n.js";
import { link } from "../../router.js";
import { html, useId, useState } from "../../view.js";
import { trainLink } from "./columns.js";
import { chosen, dropped } from "./dropped.js";
import { forget, pause, resume, send, sendings } from "./sending.js";

const KINDS = ["", "pictures", "texts", "interactions"];

export function DropData() {
  const [over, setOver] = useState(false);
  const [kind, setKind] = useState("");
  const id = useId();
  const drag = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(event.type === "dragover");
  };
  const drop = async (/** @type {DragEvent} */ event) => {
    drag(event);
    if (event.dataTransfer) send(await dropped(event.dataTransfer), kind);
  };
  const pick = (/** @type {any} */ event) => {
    send(chosen(event.currentTarget.files), kind);
    event.currentTarget.value = "";
  };
  return html`<div class=${over ? "drop over" : "drop"} onDragOver=${drag} onDragLeave=${drag} onDrop=${drop}>
    <${Icon} name="upload" />
    <p class="drop-title">${t("data.drop")}</p>
    <div class="row drop-choices">
      <input class="unseen" id=${`${id}-files`} type="file" multiple onChange=${pick} /><label for=${`${id}-files`}>${t("data.drop.files")}</label>
      <input class="unseen" id=${`${id}-folder`} type="file" webkitdirectory onChange=${pick} /><label for=${`${id}-folder`}>${t("data.drop.folder")}</label>
    </div>
    <p class="hint">${t("data.drop.hint")}</p>
    <div class="row drop-kind">
      <label for=${`${id}-kind`}>${t("data.drop.kind")}</label>
      <select class="small" id=${`${id}-kind`} value=${kind} onChange=${(/** @type {any} */ event) => setKind(event.currentTarget.value)}>
        ${KINDS.map((each) => html`<option key=${each} value=${each}>${t(`data.kind.${each || "found"}`)}</option>`)}
      </select>
    </div>
  </div>`;
}

/** What is being sent, and what has just arrived. */
export function SendingLines() {
  if (!sendings.value.length) return null;
  return html`<ul class="sendings" aria-label=${t("data.sending")}>${sendings.value.map((each) => html`<${Line} key=${each.number} sending=${each} />`)}</ul>`;
}

/** @param {{sending: import("./sending.js").Sending}} props */
function Line({ sending }) {
  const { number, name, size, done, state, rate, item, error } = sending;
  const going = state === "sending" || state === "reading";
  const left = rate ? t("data.sending.left", { time: duration((size - done) / rate) }) : "";
  return html`<li class="card">
    <div class="row spread">
      <b class="cut">${name}</b>
      <span class="actions">
        ${going && html`<${Button} icon="stop" onClick=${() => pause(number)}>${t("data.sending.pause")}<//>`}
        ${(state === "paused" || state === "away" || state === "failed") && html`<${Button} icon="again" onClick=${() => resume(number)}>${t(state === "paused" ? "data.sending.resume" : "action.retry")}<//>`}
        ${item && html`<${Button} href=${link("data", item.id ?? item.source)}>${t("data.look")}<//><${Button} kind="primary" icon="train" href=${trainLink(item)}>${t("data.train")}<//>`}
        <${Button} kind="quiet" icon="close" label=${state === "done" ? t("action.close") : t("action.cancel")} onClick=${() => forget(number)} />
      </span>
    </div>
    ${state === "failed"
      ? html`<${ProblemNote} error=${error} />`
      : html`<p class="muted number">
            ${t(`data.sending.${state}`)} · ${bytes(size)} ${state !== "done" && state !== "finishing" && html`· ${percent(size ? done / size : 1, 0)}`}
            ${rate !== null && html`· ${t("data.sending.rate", { size: bytes(rate) })} · ${left}`}
          </p>
          ${state !== "done" && html`<${Progress} value=${done} total=${state === "finishing" ? null : size} label=${name} />`}`}
  </li>`;
}
