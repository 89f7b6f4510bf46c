/** A photograph of the moment: with the camera of this machine, or on a phone with its own camera program. */
import { Button } from "../../components/button.js";
import { DropField } from "../../components/fields.js";
import { ProblemNote } from "../../components/notices.js";
import { t } from "../../i18n.js";
import { html, useEffect, useRef, useState } from "../../view.js";
import { blobOf, paper } from "./pixels.js";

/**
 * The camera's pictures; `error` where there is none, or it may not be used.
 * @returns {{video: {current: HTMLVideoElement | null}, on: boolean, error: any, start: () => void, stop: () => void}}
 */
export function useCamera() {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const stream = useRef(/** @type {MediaStream | null} */ (null));
  const [on, setOn] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const stop = () => {
    stream.current?.getTracks().forEach((each) => each.stop());
    stream.current = null;
    setOn(false);
  };
  const start = async () => {
    setError(null);
    try {
      stream.current = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
      if (!video.current) return stop();
      video.current.srcObject = stream.current;
      await video.current.play();
      setOn(true);
    } catch {
      setError({ problem: t("try.camera.none"), mend: t(isSecureContext ? "try.camera.none.mend" : "try.camera.insecure") });
    }
    return undefined;
  };
  useEffect(() => stop, []);
  return { video, on, error, start, stop };
}

/** @param {{onTaken: (blob: Blob) => void}} props */
export function Camera({ onTaken }) {
  const { video, on, error, start, stop } = useCamera();
  const take = async () => {
    if (!video.current) return;
    const [canvas, context] = paper(video.current.videoWidth, video.current.videoHeight);
    context.drawImage(video.current, 0, 0);
    onTaken(await blobOf(canvas, "image/jpeg"));
  };
  return html`<video ref=${video} class="camera" muted playsinline hidden=${!on} aria-label=${t("try.camera.picture")}></video>
    <div class="actions">
      ${on
        ? html`<${Button} kind="primary" icon="pictures" onClick=${take}>${t("try.camera.take")}<//><${Button} icon="stop" onClick=${stop}>${t("try.camera.stop")}<//>`
        : html`<${Button} kind="primary" icon="play" onClick=${start}>${t("try.camera.start")}<//>`}
    </div>
    ${error && html`<${ProblemNote} error=${error} /><${Phone} onTaken=${onTaken} />`}`;
}

/** @param {{onTaken: (blob: Blob) => void}} props */
function Phone({ onTaken }) {
  return html`<${DropField} label=${t("try.camera.phone")} accept="image/*" capture="environment" onFiles=${(/** @type {File[]} */ [file]) => file && onTaken(file)} />`;
}
