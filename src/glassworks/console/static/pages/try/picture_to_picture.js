/** A picture becomes another one; a point of it can be asked about. Clips and the camera go through frame by frame. */
import { Button } from "../../components/button.js";
import { NumberField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { Empty, Loaded, ProblemNote } from "../../components/notices.js";
import { Tabs } from "../../components/tabs.js";
import { t } from "../../i18n.js";
import { useLoaded } from "../../resource.js";
import { html, useEffect, useMemo, useRef, useState } from "../../view.js";
import { pathOf, texts } from "./asking.js";
import { post } from "../../api.js";
import { Camera } from "./camera.js";
import { Clip } from "./clip.js";
import { useExamples } from "./examples.js";
import { FileField, given as givenOf } from "./picture_input.js";
import { base64Of, blobOf, canvasOf, smaller } from "./pixels.js";
import { Reasons } from "./reasons.js";
import { SameRequest } from "./same_request.js";

/** @typedef {import("./asking.js").Model} Model */

/** The longest side of what is explained: each of its points has a value, and all of them are sent. */
const EXPLAINED = 512;

/** @param {{model: Model}} props */
export default function PictureToPicture({ model }) {
  const [way, setWay] = useState("file");
  const [given, setGiven] = useState(/** @type {import("./picture_input.js").Given | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const examples = useExamples(model);
  const turn = useRef(0);
  const take = async (/** @type {Blob} */ blob, /** @type {string | undefined} */ file = undefined) => {
    const mine = ++turn.current;
    setError(null);
    try {
      const made = await givenOf(model, blob, file);
      if (mine === turn.current) setGiven(made);
    } catch {
      if (mine !== turn.current) return;
      setGiven(null); // The answer to another picture would look like that to this one.
      setError({ problem: t("try.file.unreadable", { file: file ?? "" }), mend: t("try.file.unreadable.mend") });
    }
  };
  const example = async (/** @type {any} */ tensor) => take(await blobOf(canvasOf(tensor)));
  const tabs = ["file", "camera", "clip"].map((id) => ({ id, label: t(`try.way.${id}`) }));
  return html`<${Card} title=${t("try.picture")}>
      <${Tabs} label=${t("try.picture")} tabs=${tabs} selected=${way} onSelect=${setWay}>
        ${way === "file" && html`<${FileField} onFile=${(/** @type {File} */ file) => take(file, file.name)} />`}
        ${way === "camera" && html`<${Camera} onTaken=${take} />`}
        ${way === "clip" && html`<${Clip} model=${model} />`}
      <//>
      ${error && html`<${ProblemNote} error=${error} />`}
      ${way !== "clip" && examples.length > 0 && html`<h3>${t("try.examples")}</h3>
        <div class="actions">${examples.slice(0, 6).map((each, at) => html`<${Button} key=${at} icon="pictures" onClick=${() => example(each)}>${t("try.example", { number: at + 1 })}<//>`)}</div>`}
    <//>
    ${way !== "clip" && (given ? html`<${Made} key=${given.id} model=${model} given=${given} />` : html`<${Card} title=${t("try.answer")}><${Empty} icon="pictures" title=${t("try.picture.first")} /><//>`)}`;
}

/** @param {{model: Model, given: import("./picture_input.js").Given}} props */
function Made({ model, given }) {
  const [at, setAt] = useState(/** @type {{x: number | null, y: number | null}} */ ({ x: null, y: null }));
  /** @type {import("../../resource.js").Resource<Blob>} */
  const made = useLoaded((signal) => post(`${pathOf(model)}/picture`, undefined, { raw: given.blob, accept: "image/png", signal }), String(given.id));
  return html`<${Card} title=${t("try.answer")}>
      <${Loaded} of=${made}>${(/** @type {Blob} */ blob) => html`<${Beside} before=${/** @type {Blob} */ (given.blob)} after=${blob} at=${at} onPoint=${setAt} />`}<//>
    <//>
    <${Explained} model=${model} given=${given} at=${at} onPoint=${setAt} />
    <${SameRequest} model=${model} input=${given.tensor} file=${given.file ?? "picture.png"} />`;
}

/** @param {{before: Blob, after: Blob, at: {x: number | null, y: number | null}, onPoint: (at: {x: number, y: number}) => void}} props */
function Beside({ before, after, at, onPoint }) {
  const addresses = useMemo(() => [URL.createObjectURL(before), URL.createObjectURL(after)], [before, after]);
  useEffect(() => () => addresses.forEach(URL.revokeObjectURL), [addresses]);
  const [size, setSize] = useState({ width: 1, height: 1 });
  const click = (/** @type {MouseEvent} */ event) => {
    const image = /** @type {HTMLImageElement} */ (event.currentTarget);
    const box = image.getBoundingClientRect();
    onPoint({
      x: Math.floor(((event.clientX - box.left) / box.width) * image.naturalWidth),
      y: Math.floor(((event.clientY - box.top) / box.height) * image.naturalHeight),
    });
  };
  const loaded = (/** @type {any} */ event) => setSize({ width: event.currentTarget.naturalWidth, height: event.currentTarget.naturalHeight });
  return html`<div class="two pair">
      <figure><img src=${addresses[0]} alt=${t("try.before")} /><figcaption class="muted">${t("try.before")}</figcaption></figure>
      <figure>
        <div class="pointed"><img src=${addresses[1]} alt=${t("try.after")} onClick=${click} onLoad=${loaded} />
          ${at.x !== null && at.y !== null && html`<i style=${{ left: `${(100 * at.x) / size.width}%`, top: `${(100 * at.y) / size.height}%` }}></i>`}</div>
        <figcaption class="muted">${t("try.after")} · <a href=${addresses[1]} download="answer.png">${t("try.download")}</a></figcaption>
      </figure>
    </div>
    <p class="hint">${t("try.point.hint")}</p>`;
}

/**
 * What each point of the picture added to one point of the answer; of large pictures in small.
 * @param {{model: Model, given: import("./picture_input.js").Given, at: {x: number | null, y: number | null}, onPoint: (at: any) => void}} props
 */
function Explained({ model, given, at, onPoint }) {
  const picture = /** @type {ImageBitmap} */ (given.picture);
  /** @type {import("../../resource.js").Resource<any>} */
  const small = useLoaded(async () => {
    const less = await smaller(picture, EXPLAINED);
    return less ? { input: texts(model, await base64Of(less.blob)), picture: less.canvas, scale: less.canvas.width / picture.width } : { input: given.tensor, picture, scale: 1 };
  }, String(given.id));
  const set = (/** @type {"x" | "y"} */ name) => (/** @type {number | null} */ value) => onPoint({ ...at, [name]: value });
  return html`<${Card} title=${t("try.point")} lead=${t("try.point.lead")}>
      <div class="fields">
        <${NumberField} label=${t("try.point.x")} value=${at.x} onInput=${set("x")} whole min=${0} max=${picture.width - 1} placeholder=${t("form.automatic")} />
        <${NumberField} label=${t("try.point.y")} value=${at.y} onInput=${set("y")} whole min=${0} max=${picture.height - 1} placeholder=${t("form.automatic")} />
      </div>
    <//>
    <${Loaded} of=${small}>
      ${(/** @type {any} */ { input, picture: shown, scale }) => html`${scale < 1 && html`<p class="muted">${t("try.smaller", { width: shown.width, height: shown.height })}</p>`}
        <${Reasons} model=${model} input=${input} picture=${shown} target=${at.x === null || at.y === null ? null : `${Math.floor(at.x * scale)},${Math.floor(at.y * scale)}`} />`}
    <//>`;
}
