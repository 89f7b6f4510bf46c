"""Runs the model of this folder with numpy and onnxruntime alone: no training library, no Glassworks.

    python run.py predict PICTURE           labels and probabilities, as JSON
    python run.py explain PICTURE [OUT]     values of the pixels; OUT is a .npy file, or a .pgm picture to look at
    python run.py selftest                  the sample requests get their answers again

Pictures: PNG (8 and 16 bit, not interlaced), PGM and PPM (binary), .npy (uint8, H W or H W C). Where Pillow is
installed, all that the server reads, by the server's own decoder. Nothing else is read, and nothing is sent anywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.packaging.exporters.edge.pictures import Refused, fit, read_picture

HERE = Path(__file__).resolve().parent
_NODES = (9, 17, 33, 65, 129, 257)
Array = NDArray[Any]


def open_model(role: str = "predict") -> tuple[dict[str, Any], Any]:
    """The folder's description and a session. One thread, so that a small device keeps its other cores."""
    import onnxruntime

    model = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    if role not in model["graphs"]:
        raise Refused("this model was packaged without gradients; only 'predict' works")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    path = str(HERE / model["graphs"][role])
    return model, onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def predict(pixels: Array) -> dict[str, Any]:
    """Label and probabilities of one picture as it is stored (uint8 H W C).

    Of models with several labels a picture also `labels`, all that it has; of those that detect novelty also whether
    the picture is `familiar`: energy and distance above 0 are unlike the training data.
    """
    model, session = open_model()
    asked = [model["output"], *model["beside"]]
    scores, *rest = session.run(asked, {model["input"]: prepared(pixels, model)})
    others = dict(zip(model["beside"], rest, strict=True))
    order = np.argsort(-scores[0], kind="stable")[:5]
    top = [[model["labels"][at], float(scores[0][at])] for at in order]
    answer: dict[str, Any] = {"label": top[0][0], "probability": top[0][1], "top": top}
    if "label_set" in others:
        chosen = [at for at in np.argsort(-scores[0], kind="stable") if others["label_set"][0][at]]
        answer["labels"] = [[model["labels"][at], float(scores[0][at])] for at in chosen]
    if "novelty" in others:
        energy, distance = (float(each) for each in others["novelty"][0])
        answer |= {"familiar": max(energy, distance) <= 0, "novelty": {"energy": energy, "distance": distance}}
    return answer


def explain(pixels: Array, target: int | None = None, tolerance: float = 0.01) -> dict[str, Any]:
    """Integrated gradients (Sundararajan et al. 2017) against black, with as many nodes as completeness needs.

    `values` (C H W) sum to score - baseline_score within `gap`, a share of their difference. A picture that is black
    itself is not explained: then `converged` is false and all values are 0.
    """
    model, session = open_model("gradient")
    image = prepared(pixels, model)
    if target is None:
        target = model["labels"].index(predict(pixels)["label"])
    for count in _NODES:
        values, scores = integrated(session, image, target, count)
        change = scores[-1] - scores[0]
        gap = abs(float(values.sum()) - change) / max(abs(change), 1e-12)
        if gap <= tolerance:
            break
    return {
        "label": model["labels"][target],
        "score": scores[-1],
        "baseline_score": scores[0],
        "gap": gap,
        "nodes": count,
        "converged": gap <= tolerance and bool(image.any()),
        "values": values[0].astype(np.float32),
    }


def integrated(session: Any, image: Array, target: int, count: int) -> tuple[Array, list[float]]:
    """Values with so many nodes, and the scores along the path from black to the picture."""
    nodes, weights = clenshaw_curtis(count)
    scores, total = [], np.zeros(image.shape, np.float64)
    name = session.get_inputs()[0].name
    for index in range(count):
        given = {name: (image * nodes[index]).astype(np.float32), "target": np.array([target], np.int64)}
        score, gradient = session.run(["scores", "gradient"], given)
        scores.append(float(score[0, target]))
        total += weights[index] * gradient
    return image * total, scores


def clenshaw_curtis(count: int) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1]; both ends are nodes."""
    n = count - 1
    angles = np.arange(count) * np.pi / n
    terms = np.arange(1, n // 2 + 1)
    factors = np.where(terms == n // 2, 1.0, 2.0) / (4.0 * terms**2 - 1)
    weights = (1 - np.cos(2 * angles[:, None] * terms) @ factors) * 2 / n
    weights[[0, -1]] /= 2
    return (1 - np.cos(angles)) / 2, weights / 2


def bits_of_model() -> int:
    """How many of 16 bits the pictures used that it learned from, where their files did not say it; else 0."""
    return int(json.loads((HERE / "model.json").read_text(encoding="utf-8"))["bits"])


def prepared(pixels: Array, model: dict[str, Any]) -> Array:
    """Any picture (uint8 H W C) as the graph takes it: float32 1 C H W in [0, 1]."""
    fitted = fit(pixels, model["height"], model["width"], model["channels"])
    return (np.moveaxis(fitted, 2, 0)[None] / np.float32(255)).astype(np.float32)


def heat_map(values: Array) -> bytes:
    """Values (C H W) as a PGM file: gray is nothing, white speaks for the label, black against it."""
    flat = values.sum(axis=0)
    scaled = flat / max(float(np.abs(flat).max()), 1e-12)
    height, width = flat.shape
    gray: bytes = np.round(127.5 + 127.5 * scaled).astype(np.uint8).tobytes()
    return f"P5 {width} {height} 255\n".encode() + gray


def selftest() -> dict[str, Any]:
    """The largest difference of the sample requests' answers from those in the bundle. Raises Refused above 1e-3."""
    model, session = open_model()
    samples = json.loads((HERE / "samples.json").read_text(encoding="utf-8"))
    worst = 0.0
    for sample in samples:
        (given,) = sample["inputs"]
        (wanted,) = [each for each in sample["outputs"] if each["name"] == model["output"]]
        image = np.array(given["data"], np.float32).reshape(given["shape"])
        (scores,) = session.run([model["output"]], {model["input"]: image})
        worst = max(worst, float(np.abs(scores.ravel() - np.array(wanted["data"])).max()))
    if worst > model["tolerance"]:
        raise Refused(f"an answer differs by {worst:.2g} from the one that was packaged")
    return {"samples": len(samples), "largest_difference": worst}


def main(arguments: list[str]) -> int:
    """The command line; 2 for what cannot be used."""
    try:
        if arguments[:1] == ["selftest"] and len(arguments) == 1:
            found = selftest()
        elif arguments[:1] == ["predict"] and len(arguments) == 2:
            found = predict(read_picture(Path(arguments[1]), bits_of_model()))
        elif arguments[:1] == ["explain"] and len(arguments) in (2, 3):
            found = explained(Path(arguments[1]), *map(Path, arguments[2:]))
        else:
            sys.stderr.write(__doc__ or "")
            return 2
    except (Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return 0


def explained(picture: Path, out: Path | None = None) -> dict[str, Any]:
    """The explanation of a file, with its values as lists or in the file `out`."""
    if out is not None and out.suffix not in (".npy", ".pgm"):
        raise Refused(f"values cannot be written as '{out.name}'; use .npy for the numbers or .pgm for a picture")
    found = explain(read_picture(picture, bits_of_model()))
    values = found.pop("values")
    if out is None:
        found["values"] = values.tolist()
    elif out.suffix == ".npy":
        np.save(out, values)
    else:
        out.write_bytes(heat_map(values))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
