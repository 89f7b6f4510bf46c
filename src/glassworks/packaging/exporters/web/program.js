// The model of this folder in a browser: the same preparation, prediction and integrated gradients as the server's.
const MODEL = window.GLASSWORKS_MODEL;
const NODES = [9, 17, 33, 65, 129, 257];
const TOLERANCE = 0.01;
const WORDS = {
  en: { choose: "Choose a picture, or drop one here", seen: "As the model sees it", alone: "Everything runs in this page; nothing is sent anywhere.",
    why: (label, gap) => `Why “${label}”: red speaks for it, blue against it (the values add up within ${gap})`, black: "The picture is as black as what it is explained against: nothing is explained.", bad: "This is no picture that the browser can read.", deep: "it uses fewer than 16 bits a channel; the server and the edge folder read it", strange: "This picture is unlike those that the model learned from." },
  zh: { choose: "选择一张图片，或拖到这里", seen: "模型看到的图片", alone: "一切都在本页面内运行，不会向任何地方发送数据。",
    why: (label, gap) => `为什么是“${label}”：红色支持，蓝色反对（各值之和与得分之差为 ${gap}）`, black: "图片与解释所用的基线一样是全黑的：什么也没有解释。", bad: "浏览器无法读取这张图片。", deep: "每通道实际少于 16 位，请用服务或 edge 文件夹读取", strange: "这张图片与模型学过的图片不同。" },
};
const words = WORDS[navigator.language.startsWith("zh") ? "zh" : "en"];

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = bytes(window.GLASSWORKS_RUNTIME).buffer;
const sessions = {};
const open = (name) => (sessions[name] ??= ort.InferenceSession.create(bytes(MODEL.graphs[name]), { executionProviders: ["wasm"] }));

// Where EXIF stands in a JPEG, a PNG or a WebP, which all are lists of parts; -1 without one.
function exifOf(file) {
  const view = new DataView(file.buffer), name = (at, count = 4) => String.fromCharCode(...file.subarray(at, at + count));
  const jpeg = view.byteLength > 4 && view.getUint16(0) === 0xffd8, png = name(1, 3) === "PNG", webp = name(8) === "WEBP";
  for (let at = jpeg ? 2 : png ? 8 : 12; (jpeg || png || webp) && at + 12 < file.length; ) {
    if (jpeg && name(at + 4, 6) === "Exif\0\0") return at + 10;
    if (png && name(at + 4) === "eXIf") return at + 8;
    if (webp && name(at) === "EXIF") return at + (name(at + 8, 6) === "Exif\0\0" ? 14 : 8);
    if ((jpeg && file[at + 1] === 0xda) || (jpeg && file[at] !== 0xff)) return -1;
    const size = jpeg ? view.getUint16(at + 2) + 2 : png ? view.getUint32(at) + 12 : view.getUint32(at + 4, true) + 8;
    at += webp ? size + (size % 2) : size;
  }
  return -1;
}

// How a camera was turned (EXIF 2.3), and the file without that note: browsers differ in which kinds of files they turn.
function turned(file) {
  const view = new DataView(file.buffer), start = exifOf(file);
  if (start >= 0 && start + 14 < file.length) {
    const little = file[start] === 0x49, list = start + view.getUint32(start + 4, little);
    const count = list + 2 <= file.length ? view.getUint16(list, little) : 0;
    for (let at = list + 2, index = 0; index < count && at + 12 <= file.length; index++, at += 12) {
      if (view.getUint16(at, little) !== 0x0112) continue;
      const turn = view.getUint16(at + 8, little);
      view.setUint16(at + 8, 1, little);
      return turn;
    }
  }
  return 1;
}

// A PNG of 16 bits keeps its upper 8 here: where fewer are used nothing would be left.
function requireBright(file, bitmap) {
  if (file[1] !== 0x50 || file[24] !== 16) return;
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const known = MODEL.bits === 16 && !new TextDecoder("latin1").decode(file.subarray(0, 1000)).includes("sBIT");
  if ((MODEL.bits && MODEL.bits < 16) || (!known && rgba.every((value, index) => index % 4 === 3 || value < 64)))
    throw new Error(words.deep);
}

// Pixels: {data: Uint8 of height x width x channels, height, width, channels}.
async function read(blob) {
  const file = new Uint8Array(await blob.arrayBuffer()), turn = turned(file);
  const bitmap = await createImageBitmap(new Blob([file]), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  requireBright(file, bitmap);
  const across = turn >= 5 && turn <= 8, { width, height } = bitmap;
  const canvas = across ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const ways = { 2: [-1, 0, 0, 1, width, 0], 3: [-1, 0, 0, -1, width, height], 4: [1, 0, 0, -1, 0, height], 5: [0, 1, 1, 0, 0, 0],
    6: [0, 1, -1, 0, height, 0], 7: [0, -1, -1, 0, height, width], 8: [0, -1, 1, 0, 0, width] };
  context.setTransform(...(ways[turn] ?? [1, 0, 0, 1, 0, 0]));
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const data = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) for (let c = 0; c < 3; c++) data[to++] = rgba[from + c];
  return { data, height: canvas.height, width: canvas.width, channels: 3 };
}

function fit(picture) {
  let found = picture;
  const gray = found.data.every((value, index) => index % 3 === 0 || value === found.data[index - (index % 3)]);
  if (MODEL.channels === 1 || gray) {
    const data = new Uint8Array(found.height * found.width);
    for (let index = 0; index < data.length; index++) {
      const [r, g, b] = found.data.subarray(3 * index, 3 * index + 3);
      data[index] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    }
    found = { ...found, data, channels: 1 };
  }
  if (found.width !== MODEL.width) found = resized(found, "width", MODEL.width);
  if (found.height !== MODEL.height) found = resized(found, "height", MODEL.height);
  if (MODEL.channels === 3 && found.channels === 1) {
    found = { ...found, data: Uint8Array.from({ length: 3 * found.data.length }, (_, index) => found.data[Math.floor(index / 3)]), channels: 3 };
  }
  return found;
}

// Bilinear with antialiasing along one axis: a triangle as wide as the step, rounded.
function resized(picture, axis, size) {
  const count = picture[axis], scale = count / size, support = Math.max(scale, 1);
  const made = { ...picture, [axis]: size, data: null };
  made.data = new Uint8Array(made.height * made.width * made.channels);
  for (let at = 0; at < size; at++) {
    const center = (at + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - support)), last = Math.min(count, Math.ceil(center + support));
    const weights = [];
    for (let from = first; from < last; from++) weights.push(Math.max(0, 1 - Math.abs(from + 0.5 - center) / support));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const others = axis === "width" ? picture.height : picture.width;
    for (let other = 0; other < others; other++) for (let c = 0; c < picture.channels; c++) {
      let sum = 0;
      for (let from = first; from < last; from++) {
        const index = axis === "width" ? other * picture.width + from : from * picture.width + other;
        sum += weights[from - first] * picture.data[index * picture.channels + c];
      }
      const index = axis === "width" ? other * size + at : at * picture.width + other;
      made.data[index * picture.channels + c] = Math.min(255, Math.floor(sum / total + 0.5));
    }
  }
  return made;
}

function prepared(picture) {
  const { height, width, channels } = MODEL, image = new Float32Array(height * width * channels);
  for (let index = 0; index < height * width; index++)
    for (let c = 0; c < channels; c++) image[c * height * width + index] = picture.data[index * channels + c] / 255;
  return image;
}

const tensor = (image) => new ort.Tensor("float32", image, [1, MODEL.channels, MODEL.height, MODEL.width]);

// Probabilities; of several labels which a picture has; energy and distance of models that tell them: above 0 is unlike the learned.
async function predict(image) {
  const outputs = await (await open("predict")).run({ [MODEL.input]: tensor(image) }, [MODEL.output, ...MODEL.beside]);
  const scores = Array.from(outputs[MODEL.output].data), [energy, distance] = outputs.novelty ? outputs.novelty.data : [];
  const chosen = outputs.label_set ? scores.map((_, index) => Boolean(outputs.label_set.data[index])) : null;
  return { scores, chosen, novelty: outputs.novelty ? { energy, distance } : null };
}

function rule(count) {
  const n = count - 1, nodes = [], weights = [];
  for (let k = 0; k <= n; k++) {
    const angle = (k * Math.PI) / n;
    let sum = 1;
    for (let j = 1; j <= n / 2; j++) sum -= ((j === n / 2 ? 1 : 2) / (4 * j * j - 1)) * Math.cos(2 * j * angle);
    nodes.push((1 - Math.cos(angle)) / 2);
    weights.push(sum / n / (k === 0 || k === n ? 2 : 1));
  }
  return [nodes, weights];
}

// Integrated gradients against black, with as many nodes as completeness needs (Sundararajan et al. 2017).
async function explain(image, target) {
  const session = await open("gradient");
  let found = null;
  for (const count of NODES) {
    const [nodes, weights] = rule(count), total = new Float64Array(image.length), pathScores = [];
    for (let node = 0; node < count; node++) {
      const given = { [session.inputNames[0]]: tensor(image.map((value) => value * nodes[node])), target: new ort.Tensor("int64", [BigInt(target)], [1]) };
      const outputs = await session.run(given);
      pathScores.push(outputs.scores.data[target]);
      outputs.gradient.data.forEach((value, index) => { total[index] += weights[node] * value; });
    }
    const values = total.map((value, index) => value * image[index]), change = pathScores[count - 1] - pathScores[0];
    const gap = Math.abs(values.reduce((sum, value) => sum + value, 0) - change) / Math.max(Math.abs(change), 1e-12);
    found = { values, gap, nodes: count };
    if (gap <= TOLERANCE) break;
  }
  return found;
}

// What the model sees of a file.
const see = async (blob) => fit(await read(blob));

async function ask(blob) {
  const picture = await see(blob), image = prepared(picture);
  const { scores, chosen, novelty } = await predict(image), target = scores.indexOf(Math.max(...scores));
  const why = MODEL.graphs.gradient ? await explain(image, target) : null;
  const labels = chosen && MODEL.labels.filter((_, index) => chosen[index]);
  return { picture, scores, chosen, labels, label: MODEL.labels[target], novelty, why };
}

function paint(canvas, color) {
  canvas.width = MODEL.width;
  canvas.height = MODEL.height;
  const context = canvas.getContext("2d"), image = context.createImageData(MODEL.width, MODEL.height);
  for (let index = 0; index < MODEL.width * MODEL.height; index++) image.data.set(color(index), 4 * index);
  context.putImageData(image, 0, 0);
}

function show(answer) {
  const channels = answer.picture.channels, size = MODEL.width * MODEL.height;
  paint(document.getElementById("picture"), (index) => [0, 1, 2].map((c) => answer.picture.data[index * channels + Math.min(c, channels - 1)]).concat(255));
  if (answer.why) {
    const sums = Array.from({ length: size }, (_, index) => { let sum = 0; for (let c = 0; c < MODEL.channels; c++) sum += answer.why.values[c * size + index]; return sum; });
    const most = Math.max(...sums.map(Math.abs), 1e-12);
    paint(document.getElementById("why"), (index) => {
      const strength = sums[index] / most, rest = Math.round(255 * (1 - Math.abs(strength)));
      return strength > 0 ? [255, rest, rest, 255] : [rest, rest, 255, 255];
    });
    document.getElementById("caption").textContent = answer.picture.data.every((value) => value === 0) ? words.black : words.why(answer.label, `${(100 * answer.why.gap).toFixed(2)} %`);
  }
  const order = answer.scores.map((_, index) => index).sort((a, b) => answer.scores[b] - answer.scores[a]).filter((index, rank) => rank < 5 || answer.chosen?.[index]);
  document.getElementById("top").replaceChildren(...order.map((index) => {
    const row = document.createElement("tr"), share = `${(100 * answer.scores[index]).toFixed(1)} %`;
    row.innerHTML = "<td></td><td></td><td class=bar><div></div></td>";
    row.children[0].textContent = (answer.chosen?.[index] ? "✓ " : "") + MODEL.labels[index];
    row.children[1].textContent = share;
    row.querySelector("div").style.width = `${100 * Math.max(0, Math.min(1, answer.scores[index]))}%`;
    return row;
  }));
  const strange = answer.novelty && Math.max(answer.novelty.energy, answer.novelty.distance) > 0;
  document.getElementById("strange").textContent = strange ? words.strange : "";
  document.getElementById("answer").hidden = false;
}

let turn = 0;
async function take(blob) {
  const problem = document.getElementById("problem"), mine = ++turn;
  problem.textContent = "";
  document.getElementById("answer").hidden = true; // The answer to another picture would look like that to this one.
  try {
    const answer = await ask(blob);
    if (mine === turn) show(answer);
  } catch (error) {
    if (mine === turn) problem.textContent = `${words.bad} (${error.message ?? error})`;
  }
}

document.documentElement.lang = words === WORDS.zh ? "zh" : "en";
for (const element of document.querySelectorAll("[data-t]")) element.textContent = words[element.dataset.t];
const drop = document.getElementById("drop");
document.getElementById("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => {
  event.preventDefault();
  drop.classList.toggle("over", kind === "dragover");
  if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});
window.glassworks = { ask, see };
