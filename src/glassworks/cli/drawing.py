"""An example and its explanation as people see them: a picture under its heat map, a text with shaded words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """`rows` of (part, style) for a terminal, and a file with its `suffix`."""

    rows: list[list[tuple[str, str]]]
    file: bytes
    suffix: str


def draw(
    example: Array,
    values: NDArray[np.float32],
    spans: Sequence[Sequence[int]],
    label: str,
    method: str,
    names: Sequence[Mapping[str, Any]] = (),
) -> Drawn:
    """A stored example (without the batch) with the values of its explanation: of named things, of words, of pixels."""
    if names and "start" in names[0]:
        return _draw_prompt(names, values, label, method)
    if names:
        return _draw_names(names, values, label, method)
    if spans:
        return _draw_words(str(example), [(int(begin), int(end)) for begin, end in spans], values, label, method)
    return _draw_pixels(example, values, label, method)


def _draw_pixels(example: Array, values: NDArray[np.float32], label: str, method: str) -> Drawn:
    import numpy as np

    from glassworks.explanation.render import heat_map_png, shaded_blocks

    if values.shape[-3:] == np.shape(example):  # pictures whose channels come last
        values = np.moveaxis(values, -1, -3)
    picture = heat_map_png(_of_8_bits(example), values, f"{label} ({method})")
    return Drawn(rows=shaded_blocks(values), file=picture, suffix="png")


def _draw_words(
    text: str, spans: Sequence[tuple[int, int]], values: NDArray[np.float32], label: str, method: str
) -> Drawn:
    from glassworks.explanation.render_text import shaded_html, shaded_words, strongest

    page = shaded_html(text, spans, values, label, _legend(label, method))
    line = [(f"strongest: {strongest(text, spans, values)}", "")]
    return Drawn(rows=[shaded_words(text, spans, values), line], file=page, suffix="html")


def _draw_prompt(names: Sequence[Mapping[str, Any]], values: NDArray[np.float32], label: str, method: str) -> Drawn:
    """Parts of a prompt in their order, each turn of a conversation under its role."""
    import numpy as np

    text, spans, shaded, turn = "", list[tuple[int, int]](), list[float](), None
    for part, value in zip(names, values.ravel().tolist(), strict=True):
        if part.get("message") != turn:
            heading = f"\n{part['role']}: " if text else f"{part['role']}: "
            spans.append((len(text), len(text) + len(heading)))
            text, turn = text + heading, part["message"]
            shaded.append(0.0)
        spans.append((len(text), len(text) + len(part["item"])))
        text += part["item"]
        shaded.append(value)
    return _draw_words(text, spans, np.array(shaded, np.float32), label, method)


def _draw_names(names: Sequence[Mapping[str, Any]], values: NDArray[np.float32], label: str, method: str) -> Drawn:
    """One name a line, the largest value first, shaded like the words of a text."""
    import numpy as np

    from glassworks.explanation.render_text import shaded_html, shaded_words

    flat = values.ravel().astype(np.float32)
    order = [index for index in np.argsort(-flat, kind="stable").tolist() if flat[index]]
    lines = [f"{flat[index]:+.4f}  {_called(names[index])}\n" for index in order]
    silent = len(names) - len(order)
    lines += [f"{0:+.4f}  {silent:,} more\n"] if silent else []
    flat = np.append(flat[order], np.zeros(len(lines) - len(order), np.float32))
    ends = np.cumsum([len(line) for line in lines]).tolist()
    text, spans = "".join(lines), list(zip([0, *ends[:-1]], ends, strict=True))
    page = shaded_html(text, spans, flat, label, _legend(label, method))
    rows = [[(part.rstrip("\n"), style)] for part, style in shaded_words(text, spans, flat)]
    return Drawn(rows=rows, file=page, suffix="html")


def _legend(label: str, method: str) -> Mapping[str, str]:
    return {"method": method, "red": f"for {label}", "blue": f"against {label}"}


def _called(name: Mapping[str, Any]) -> str:
    """A thing by its title and id."""
    parts = [f"{value}" for value in (name.get("title"), name.get("item")) if value not in (None, "")]
    return f"{parts[0]} ({parts[1]})" if len(parts) > 1 else "".join(parts)


def as_file(example: Array | str) -> tuple[bytes, str, Any]:
    """A stored example as a file, its suffix, and as JSON holds it in a tensor of BYTES."""
    import base64
    import io

    from PIL import Image

    if isinstance(example, str):
        return example.encode("utf-8", "replace"), "txt", example
    picture = _of_8_bits(example)
    buffer = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue(), "png", base64.b64encode(buffer.getvalue()).decode()


def _of_8_bits(example: Array) -> NDArray[np.uint8]:
    """A picture of 8 or 16 bits in 8 bits."""
    import numpy as np

    pixels = np.asarray(example)
    return (pixels // 257 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
