/** Ways to give a picture: draw it, choose or drop a file, photograph it, or take an example of the bundle. */
import { Button } from "../../components/button.js";
import { DropField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote } from "../../components/notices.js";
import { Tabs } from "../../components/tabs.js";
import { t } from "../../i18n.js";
import { html, useEffect, useMemo, useRef, useState } from "../../view.js";
import { texts } from "./asking.js";
import { Camera } from "./camera.js";
import { DrawField } from "./drawing.js";
import { useExamples } from "./examples.js";
import { base64Of, bitmapOf, canvasOf, blobOf, stirred } from "./pixels.js";

/** @typedef {import("./asking.js").Tensor} Tensor */
/**
 * @typedef {object} Given
 * @property {number} id
 * @property {Tensor} tensor What is sent.
 * @property {CanvasImageSource} picture What is shown.
 * @property {string} [file] Its name, where it is a file.
 * @property {Blob} [blob]
 * @property {() => Promise<Tensor>} [stir] The same with changes that nobody sees.
 */

let count = 0;

/**
 * @param {import("./asking.js").Model} model
 * @param {Blob} blob
 * @param {string} [file]
 * @returns {Promise<Given>}
 */
export async function given(model, blob, file) {
  const picture = await bitmapOf(blob);
  const stir = async () => texts(model, await base64Of(await blobOf(stirred(picture))));
  return { id: ++count, tensor: texts(model, await base64Of(blob)), picture, file, blob, stir };
}

/** @param {{model: import("./asking.js").Model, onGiven: (given: Given | null) => void}} props */
export function PictureInput({ model, onGiven }) {
  const drawn = isDrawn(model);
  const [way, setWay] = useState(drawn ? "draw" : "file");
  const [error, setError] = useState(/** @type {any} */ (null));
  const examples = useExamples(model);
  const turn = useRef(0);
  const take = async (/** @type {Blob | null} */ blob, /** @type {string | undefined} */ file = undefined) => {
    const mine = ++turn.current;
    setError(null);
    if (!blob) return onGiven(null);
    try {
      const made = await given(model, blob, file);
      if (mine === turn.current) onGiven(made);
    } catch {
      if (mine !== turn.current) return undefined;
      onGiven(null); // The answer to another picture would look like that to this one.
      setError({ problem: t("try.file.unreadable", { file: file ?? "" }), mend: t("try.file.unreadable.mend") });
    }
    return undefined;
  };
  const tabs = ["draw", "file", "camera"].filter((each) => each !== "draw" || drawn).map((id) => ({ id, label: t(`try.way.${id}`) }));
  return html`<${Card} title=${t("try.picture")}>
    <${Tabs} label=${t("try.picture")} tabs=${tabs} selected=${way} onSelect=${setWay}>
      ${way === "draw" && html`<${DrawField} side=${model.input.shape[3]} onDrawn=${take} />`}
      ${way === "file" && html`<${FileField} onFile=${(/** @type {File} */ file) => take(file, file.name)} />`}
      ${way === "camera" && html`<${Camera} onTaken=${take} />`}
    <//>
    ${error && html`<${ProblemNote} error=${error} />`}
    ${examples.length > 0 && html`<h3>${t("try.examples")}</h3>
      <div class="thumbs">
        ${examples.slice(0, 12).map((each, at) => html`<${Thumb} key=${at} tensor=${each} label=${t("try.example", { number: at + 1 })} onTaken=${onGiven} />`)}
      </div>`}
  <//>`;
}

/**
 * Whether a picture of its kind can be drawn by hand: small and without colors.
 * @param {import("./asking.js").Model} model
 */
function isDrawn({ input: { shape } }) {
  return shape.length === 4 && shape[1] === 1 && shape[2] > 0 && shape[2] <= 64;
}

/** @param {{onFile: (file: File) => void, accept?: string, children?: any}} props */
export function FileField({ onFile, accept = "image/*", children }) {
  const [shown, setShown] = useState("");
  useEffect(() => () => URL.revokeObjectURL(shown), [shown]);
  const chosen = (/** @type {File[]} */ [file]) => {
    if (!file) return;
    setShown(file.type.startsWith("image/") ? URL.createObjectURL(file) : "");
    onFile(file);
  };
  return html`<${DropField} label=${t("try.file.choose")} hint=${t("try.file.hint")} accept=${accept} onFiles=${chosen}>${children}<//>
    ${shown && html`<img class="given" src=${shown} alt=${t("try.file.shown")} />`}`;
}

/** @param {{tensor: Tensor, label: string, onTaken: (given: Given) => void}} props */
function Thumb({ tensor, label, onTaken }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useMemo(() => canvasOf(tensor), [tensor]);
  useEffect(() => box.current?.replaceChildren(canvas), [canvas]);
  const stir = async () => ({ ...tensor, data: tensor.data.map((value) => value + (tensor.datatype === "UINT8" ? 0 : (Math.random() - 0.5) * 0.02)) });
  return html`<${Button} kind="plain" class="thumb" label=${label} onClick=${() => onTaken({ id: ++count, tensor, picture: canvas, stir })}>
    <i ref=${box}></i>
  <//>`;
}
