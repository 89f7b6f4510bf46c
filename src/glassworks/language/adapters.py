"""Adapters in PEFT's layout, LoRA (Hu et al. 2021) and DoRA (Liu et al. 2024), added into the weights of a model.

They are never kept apart: the engine gives every answer of a batch the adapter of its first one, and a prefix that is
cached under one adapter would be read under another. A model with its adapter is one model, compressed as any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError, Unsupported
from glassworks.language.architecture import Architecture
from glassworks.language.hf_folder import read_json
from glassworks.language.importing import Brought, template_of
from glassworks.language.settings import LanguageSettings

_CONFIG, _WEIGHTS, _PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
_PREFIX = "base_model.model."
_PARTS = re.compile(r"(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(\.weight)?")
_PLAIN = re.compile(r"\^?[\w.]+\$?")
# fmt: off
_FOLLOWED = frozenset(
    (
        "peft_type", "peft_version", "base_model_name_or_path", "revision", "task_type", "inference_mode",
        "auto_mapping", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "bias",
        "use_rslora", "modules_to_save", "init_lora_weights", "layers_to_transform", "layers_pattern",
        "rank_pattern", "alpha_pattern", "megatron_core", "loftq_config", "eva_config", "corda_config",
        "lora_ga_config", "use_dora", "qalora_group_size", "runtime_config", "ensure_weight_tying"
    )
)
# fmt: on
"""Settings that say how it was trained, or that are read here; what another one says, if it does, is not followed."""
_OF_ANOTHER_BASE = ("pissa", "olora", "corda", "lora_ga")
"""Beginnings (`init_lora_weights`) that are taken away from the weights of the model at first."""
_SHOWN = 4

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class _LowRank:
    """What is added to one matrix (O I): `scale` times `up` (O R) `down` (R I); `magnitude` (O) are the lengths of the
    rows then, as DoRA has them."""

    down: NDArray[np.float32]
    up: NDArray[np.float32]
    scale: float
    magnitude: NDArray[np.float32] | None

    def added(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """The matrix with it."""
        found = values.astype(np.float32) + np.float32(self.scale) * (self.up @ self.down)
        if self.magnitude is None:
            return found
        lengths: NDArray[np.float32] = np.linalg.norm(found, axis=1)
        scaled: NDArray[np.float32] = found * (self.magnitude / lengths)[:, None]
        return scaled


def with_adapter(brought: Brought, folder: Path) -> Brought:
    """The model with an adapter's matrices added into its weights, in float32; a chat template in its folder is what it
    was trained with, and takes the place of the model's. Raises InputError for what does not
    belong to this model, or would be left out, and Unsupported for other kinds of adapters and pickled ones. The model
    must have weights.
    """
    file = _file(folder)
    config = _followed(read_json(folder / _CONFIG), folder)
    tensors = _read(file)
    found, whole = _sorted_out(tensors, config, brought.settings.architecture, folder)
    template = template_of(folder)
    settings = brought.settings.model_copy(update={"chat_template": template or brought.settings.chat_template})
    files, notes = (*brought.files, file), (*brought.notes, _note(folder, found, whole, settings, brought.settings))
    weight = _reader(brought.weight, found, whole)
    return replace(brought, settings=settings, weight=weight, files=files, config=None, notes=notes)


def _note(
    folder: Path, found: Mapping[str, _LowRank], whole: Weights, new: LanguageSettings, old: LanguageSettings
) -> str:
    ranks = sorted({len(each.down) for each in found.values()})
    matrices = f"matrices of rank {' and '.join(map(str, ranks))} are added into {len(found)} weights" if found else ""
    replaced = f"{len(whole)} weights are replaced" if whole else ""
    template = "its chat template takes the place of the model's" if new.chat_template != old.chat_template else ""
    return f"the adapter {folder.name}: " + ", ".join(filter(None, (matrices, replaced, template)))


def _file(folder: Path) -> Path:
    if (folder / _WEIGHTS).exists():
        return folder / _WEIGHTS
    if (folder / _PICKLED).exists():
        raise Unsupported(
            f"{folder} holds pickled weights ({_PICKLED}), which can run any program",
            f"save it again where it is trusted: PeftModel.from_pretrained(base, '{folder.name}').save_pretrained(...)",
        )
    raise InputError(
        f"{folder} has no {_WEIGHTS}", "give the folder of an adapter, as peft's save_pretrained writes it"
    )


def _followed(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings. Raises Unsupported for those that mean something else than matrices to be added."""
    if config.get("peft_type") != "LORA":
        problem = f"{folder} holds an adapter of the kind {config.get('peft_type')!r:.40}"
        raise Unsupported(problem, "known: LORA, with use_dora or without; merge others with peft, and bring the model")
    further = {key: value for key, value in config.items() if key not in _FOLLOWED and value}
    if further:
        key, value = next(iter(further.items()))
        problem = f"{folder}: '{key[:40]}' is {value!r:.60}, which is not followed"
        raise Unsupported(problem, "merge it with peft (merge_and_unload), and bring the merged model")
    begun = config.get("init_lora_weights")
    if isinstance(begun, str) and begun.startswith(_OF_ANOTHER_BASE):
        raise Unsupported(
            f"{folder} began as a part of its model's weights (init_lora_weights = '{begun[:20]}'), which lack it then",
            "save it with path_initial_model_for_weight_conversion, as peft's guide of LoRA says",
        )
    return config


def _read(file: Path) -> Weights:
    import ml_dtypes  # noqa: F401 - numpy knows bfloat16 from then on
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = {name: values.astype(np.float32) for name, values in load_file(file).items()}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"cannot read {file}: {str(error)[:100]}", "download it again") from None
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise InputError(f"{file}: '{name[:100]}' holds values that are no numbers", "train the adapter again")
    return found


def _sorted_out(
    tensors: Weights, config: Mapping[str, Any], architecture: Architecture, folder: Path
) -> tuple[Mapping[str, _LowRank], Weights]:
    """By the model's weights: what is added to each, and those that stand in the adapter as a whole. Raises InputError
    where a tensor is neither."""
    shapes, parts, whole = dict(architecture.weights()), dict[str, dict[str, NDArray[Any]]](), {}
    unused = list[str]()
    for name, values in tensors.items():
        stem = name.removeprefix(_PREFIX).replace(".base_layer.", ".")
        match = _PARTS.fullmatch(stem)
        if match and len(shapes.get(weight := f"{match['module']}.weight", ())) == 2:
            parts.setdefault(weight, {})[match["part"]] = values
        elif stem in shapes:
            _require(values.shape == shapes[stem], name, values, shapes[stem], folder)
            whole[stem] = values
        else:
            unused.append(name)
    if unused or not (parts or whole):
        named = ", ".join(unused[:_SHOWN]) + (f" and {len(unused) - _SHOWN} more" if len(unused) > _SHOWN else "")
        problem = f"{folder}: the model has no place for {named[:220] or 'an adapter without tensors'}"
        raise InputError(problem, "give the adapter of this model, or the model that it was trained on: model.source")
    return {name: _low_rank(name, found, shapes[name], config, folder) for name, found in parts.items()}, whole


def _low_rank(name: str, found: Weights, shape: tuple[int, ...], config: Mapping[str, Any], folder: Path) -> _LowRank:
    down, up, magnitude = (found.get(part) for part in ("lora_A", "lora_B", "lora_magnitude_vector"))
    module = name.removesuffix(".weight")
    if down is None or up is None or (magnitude is None and config.get("use_dora")):
        raise InputError(f"{folder}: the matrices of '{module}' are not all there", "download the adapter again")
    rank = len(down)
    _require(down.shape == (rank, shape[1]), f"{module}.lora_A", down, (rank, shape[1]), folder)
    _require(up.shape == (shape[0], rank), f"{module}.lora_B", up, (shape[0], rank), folder)
    if magnitude is not None:
        magnitude = magnitude.reshape(-1)
        _require(len(magnitude) == shape[0], f"{module}.lora_magnitude_vector", magnitude, shape[:1], folder)
    alpha = _alpha(module, config, folder)
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return _LowRank(down=down, up=up, scale=scale, magnitude=magnitude)


def _alpha(module: str, config: Mapping[str, Any], folder: Path) -> float:
    """The first pattern that is the module's name, or the end of it, as peft chooses it."""
    found = config.get("lora_alpha", 8)
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if not _PLAIN.fullmatch(pattern):
            raise Unsupported(
                f"{folder}: alpha_pattern names modules as {pattern!r:.60}", "name each by its whole name"
            )
        plain, anchored = pattern.removesuffix("$").removeprefix("^"), pattern.startswith("^")
        if module == plain or (not anchored and module.endswith(f".{plain}")):
            found = alpha
            break
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise InputError(f"{folder}: lora_alpha is {found!r:.40}, a number is expected", "download the adapter again")
    return float(found)


def _require(right: bool, name: str, values: NDArray[Any], shape: tuple[int, ...], folder: Path) -> None:
    if not right:
        raise InputError(
            f"{folder}: '{name[:120]}' has the shape {values.shape}, this model takes {tuple(shape)}",
            "give the model that the adapter was trained on: model.source",
        )


def _reader(
    weight: Callable[[str], NDArray[Any]], found: Mapping[str, _LowRank], whole: Weights
) -> Callable[[str], NDArray[Any]]:
    def read(name: str) -> NDArray[Any]:
        values = whole[name] if name in whole else weight(name)
        return found[name].added(values) if name in found else values

    return read
