/** A clip or the camera, frame by frame through a model that makes pictures of pictures. */
import { Button } from "../../components/button.js";
import { DropField } from "../../components/fields.js";
import { Figure, Figures } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { milliseconds, number } from "../../format.js";
import { t } from "../../i18n.js";
import { html, useEffect, useRef, useState } from "../../view.js";
import { pathOf } from "./asking.js";
import { useCamera } from "./camera.js";
import { blobOf, paper } from "./pixels.js";

/** @typedef {{frames: number, dropped: number, ms: number | null, rate: number | null}} Count */

const NOTHING = { frames: 0, dropped: 0, ms: null, rate: null };
const WIDEST = 640;

/** @param {{model: import("./asking.js").Model}} props */
export function Clip({ model }) {
  const { video, on, error, start, stop } = useCamera();
  const [file, setFile] = useState("");
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [count, setCount] = useState(/** @type {Count} */ (NOTHING));
  const shown = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const runs = on || file !== "";
  useEffect(() => () => URL.revokeObjectURL(file), [file]);
  useEffect(() => {
    if (!runs || !video.current || !shown.current) return undefined;
    return stream(`${pathOf(model)}/stream?picture=jpeg`, video.current, shown.current, setCount, setProblem);
  }, [runs, file]);
  const chosen = async (/** @type {File[]} */ [given]) => {
    if (!given || !video.current) return;
    stop();
    setProblem(null);
    setCount(NOTHING);
    const address = URL.createObjectURL(given);
    Object.assign(video.current, { srcObject: null, src: address, loop: true });
    try {
      await video.current.play();
      setFile(address);
    } catch {
      setProblem({ problem: t("try.clip.unreadable", { file: given.name }), mend: t("try.clip.unreadable.mend") });
    }
  };
  const camera = () => {
    setProblem(null);
    setCount(NOTHING);
    setFile("");
    start();
  };
  const end = () => {
    stop();
    video.current?.pause();
    setFile("");
  };
  return html`<div class="two pair" hidden=${!runs}>
      <figure><video ref=${video} muted playsinline aria-label=${t("try.before")}></video><figcaption class="muted">${t("try.before")}</figcaption></figure>
      <figure><canvas ref=${shown} role="img" aria-label=${t("try.after")}></canvas><figcaption class="muted">${t("try.after")}</figcaption></figure>
    </div>
    ${runs
      ? html`<${Figures}>
            <${Figure} label=${t("try.clip.rate")} value=${number(count.rate, 1)} />
            <${Figure} label=${t("try.clip.ms")} value=${milliseconds(count.ms)} />
            <${Figure} label=${t("try.clip.frames")} value=${number(count.frames)} />
            <${Figure} label=${t("try.clip.dropped")} value=${number(count.dropped)} />
          <//><${Button} icon="stop" onClick=${end}>${t("try.clip.stop")}<//>`
      : html`<${DropField} label=${t("try.clip.choose")} accept="video/*" onFiles=${chosen} />
          <div class="actions"><${Button} icon="play" onClick=${camera}>${t("try.clip.camera")}<//></div>`}
    ${(problem ?? error) && html`<${ProblemNote} error=${problem ?? error} />`}`;
}

/**
 * Sends the frame of the moment as soon as the last one was answered, and draws what comes back.
 * @param {string} path
 * @param {HTMLVideoElement} video
 * @param {HTMLCanvasElement} shown
 * @param {(count: Count) => void} counted
 * @param {(problem: any) => void} failed
 * @returns {() => void} Ends it.
 */
function stream(path, video, shown, counted, failed) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
  socket.binaryType = "blob";
  let ended = false;
  /** @type {number[]} */
  let times = [];
  /** @type {any} */
  let said = {};
  const send = async () => {
    if (ended || socket.readyState !== WebSocket.OPEN) return;
    if (!video.videoWidth || video.paused) return void setTimeout(send, 50);
    const scale = Math.min(1, WIDEST / video.videoWidth);
    const [canvas, context] = paper(Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const blob = await blobOf(canvas, "image/jpeg");
    if (!ended && socket.readyState === WebSocket.OPEN) socket.send(blob);
  };
  socket.onopen = send;
  socket.onmessage = async ({ data }) => {
    if (typeof data === "string") {
      said = JSON.parse(data);
      if (said.error) failed({ problem: said.error, mend: t("try.clip.error.mend") });
      if (said.error) send();
      return;
    }
    const picture = await createImageBitmap(data);
    [shown.width, shown.height] = [picture.width, picture.height];
    shown.getContext("2d")?.drawImage(picture, 0, 0);
    const now = performance.now();
    times = [...times, now].filter((each) => each > now - 2000);
    const rate = times.length > 1 ? (1000 * (times.length - 1)) / (now - times[0]) : null;
    counted({ frames: said.frame + 1, dropped: said.dropped, ms: said.milliseconds, rate });
    send();
  };
  socket.onclose = ({ reason }) => {
    if (!ended) failed({ problem: reason || t("try.clip.closed"), mend: t("try.clip.closed.mend") });
  };
  return () => {
    ended = true;
    socket.close();
  };
}
