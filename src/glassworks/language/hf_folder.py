"""Folders in Hugging Face's layout: `config.json` and weights in safetensors, whole or in shards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError, Unsupported
from glassworks.language.architecture import KINDS, Architecture, Kind, RopeScaling

_MEND = "give the folder as its publisher wrote it"
CONFIG = "config.json"


def class_of(kind: Kind) -> str:
    """What transformers calls a decoder."""
    return f"{kind.capitalize()}ForCausalLM"


_CLASSES: Mapping[str, Kind] = {class_of(kind): kind for kind in KINDS}
_PLAIN: Mapping[str, tuple[object, ...]] = {
    "hidden_act": ("silu",),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "use_sliding_window": (False, None),
    "partial_rotary_factor": (1.0, None),
}
"""Settings that the graph does not follow, and the values with which it need not."""


class HuggingFaceFolder:
    """An opened folder, with its weights or without. Raises InputError for one that is damaged, Unsupported for what
    cannot be read exactly.
    """

    def __init__(self, path: Path, *, weights: bool = True) -> None:
        self.path = path
        self.config = read_json(path / CONFIG)
        self._files = _files_by_weight(path) if weights else {}
        self.architecture = self._architecture()
        for name, shape in self.architecture.weights() if weights else ():
            self._require(name, shape)

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that hold weights."""
        return tuple(sorted(set(self._files.values())))

    @property
    def types(self) -> Mapping[str, int]:
        """Type of tensors -> how many weights are stored in it."""
        counts: dict[str, int] = {}
        for name, shape in self.architecture.weights():
            kind, size = self._stored(name)[0], int(np.prod(shape))
            counts[kind] = counts.get(kind, 0) + size
        return counts

    def weight(self, name: str) -> NDArray[Any]:
        """A weight by its name, in the float32 or float16 that the file holds; bfloat16 in float32."""
        import ml_dtypes  # noqa: F401 - numpy knows bfloat16 from then on
        from safetensors import safe_open

        with safe_open(self._files[name], "np") as file:
            values: NDArray[Any] = file.get_tensor(name)
        return values if values.dtype in (np.float16, np.float32) else values.astype(np.float32)

    def _architecture(self) -> Architecture:
        kind, config = self._kind(), self.config
        heads, width = self._number("num_attention_heads"), self._number("hidden_size")
        return Architecture(
            kind=kind,
            layers=self._number("num_hidden_layers"),
            width=width,
            heads=heads,
            key_value_heads=self._number("num_key_value_heads", heads),
            head_width=self._number("head_dim", width // heads),
            feed_forward=self._number("intermediate_size"),
            vocabulary=self._number("vocab_size"),
            context=self._number("max_position_embeddings"),
            rope_base=float(self._rope().get("rope_theta", 10000.0)),
            rope_scaling=self._rope_scaling(),
            norm_epsilon=float(config.get("rms_norm_eps", 1e-6)),
            tied_embeddings=self._tied(),
        )

    def _tied(self) -> bool:
        """Whether the last product uses the table of embeddings: said so, or without a matrix of its own."""
        return bool(self.config.get("tie_word_embeddings")) or bool(self._files and "lm_head.weight" not in self._files)

    def _kind(self) -> Kind:
        named = self.config.get("architectures") or [""]
        if named[0] not in _CLASSES:
            raise Unsupported(
                f"{self.path} holds a model of the architecture '{named[0]}'", f"architectures: {', '.join(_CLASSES)}"
            )
        for key, allowed in _PLAIN.items():
            if self.config.get(key) not in (*allowed, None):
                raise Unsupported(
                    f"{self.path}: '{key}' is {self.config[key]!r}, which is not followed",
                    f"models with {key} = {allowed[0]!r} can be imported",
                )
        return _CLASSES[named[0]]

    def _rope(self) -> Mapping[str, Any]:
        """The settings of rotary positions: a table of their own in newer files, single keys in older ones."""
        found = self.config.get("rope_parameters") or self.config
        return cast("Mapping[str, Any]", found)

    def _rope_scaling(self) -> RopeScaling | None:
        scaling = self.config.get("rope_scaling") or self.config.get("rope_parameters") or {}
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind == "default":
            return None
        if kind == "linear":
            return RopeScaling(kind="linear", factor=float(scaling["factor"]))
        if kind == "llama3":
            return RopeScaling(
                kind="llama3",
                factor=float(scaling["factor"]),
                low_frequency_factor=float(scaling["low_freq_factor"]),
                high_frequency_factor=float(scaling["high_freq_factor"]),
                original_context=int(scaling["original_max_position_embeddings"]),
            )
        raise Unsupported(f"{self.path} scales its rotary positions by '{kind}'", "known: default, linear, llama3")

    def _number(self, key: str, default: int | None = None) -> int:
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or not 0 < value < _MOST:
            raise InputError(f"{self.path}/config.json: '{key}' is {value!r}, a number from 1 is expected", _MEND)
        return value

    def _require(self, name: str, shape: tuple[int, ...]) -> None:
        if name not in self._files:
            raise InputError(f"{self.path} has no tensor '{name}'", _MEND)
        kind, found = self._stored(name)
        if found != shape:
            raise InputError(f"{self.path}: '{name}' has the shape {found}, {shape} is expected", _MEND)
        if kind not in ("F32", "F16", "BF16"):
            raise Unsupported(f"{self.path}: '{name}' is stored as {kind}", "known: F32, F16, BF16")

    def _stored(self, name: str) -> tuple[str, tuple[int, ...]]:
        from safetensors import safe_open

        with safe_open(self._files[name], "np") as file:
            entry = file.get_slice(name)
            return entry.get_dtype(), tuple(entry.get_shape())


_MOST = 2**24


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises InputError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no {path}", _MEND) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", _MEND) from None
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no JSON object", _MEND)
    return found


def _files_by_weight(path: Path) -> Mapping[str, Path]:
    from safetensors import SafetensorError, safe_open

    found: dict[str, Path] = {}
    for file in sorted(path.glob("*.safetensors")):
        with contextlib.ExitStack() as stack:
            try:
                opened = stack.enter_context(safe_open(file, "np"))
            except (SafetensorError, OSError) as error:
                raise InputError(f"cannot read {file}: {error}", "download it again") from None
            found.update(dict.fromkeys(opened.keys(), file))
    if not found:
        raise InputError(f"{path} holds no weights in safetensors", _MEND)
    return found
