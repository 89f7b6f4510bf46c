"""Folders of sentence-transformers: `modules.json` with all that it names, prompts, and how long texts are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glassworks.errors import ConfigError, DataError
from glassworks.families._text.encoder_files import read_json, weights_of
from glassworks.families._text.pooling import NAMES, Dense, Pooling, Sentence, UnitLength

_TRANSFORMERS = ("Transformer", "BERT", "RoBERTa", "DistilBERT", "ALBERT", "CamemBERT", "XLMRoBERTa", "XLNet", "T5")
"""Names that the first module has had."""
_READING = "sentence_*_config.json"
_LEGACY = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Keys of earlier releases, in the order in which several are joined."""
_LONGEST = 2**20
"""Tokenizers without a limit say an astronomical number."""
_HOW = "save what is meant with sentence-transformers, or give the folder of the Transformer module alone"


@dataclass(frozen=True, kw_only=True)
class SentenceFolder:
    """What a folder says of itself; `stages` are type and folder of each module behind the transformer.

    `declared`: whether it is one of sentence-transformers at all. `most`: tokens of a text that it reads, the rest is
    cut off; None where it does not say.
    """

    transformer: Path
    stages: tuple[tuple[str, Path], ...]
    declared: bool
    most: int | None
    lowercase: bool
    prompts: Mapping[str, str]
    prompt_name: str | None


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Raises DataError for what cannot be honored: nothing is left out."""
    if not (folder / "modules.json").is_file():
        pooling = folder / "1_Pooling"
        return _described(folder, folder, (("Pooling", pooling),) if (pooling / "config.json").is_file() else ())
    listed = read_json(folder / "modules.json")
    if not isinstance(listed, list) or not listed or not all({"type", "path"} <= set(each) for each in listed):
        raise DataError(f"{folder}/modules.json is no list of modules with type and path", _HOW)
    kinds = [str(each["type"]).rpartition(".")[2] for each in listed]
    paths = [folder / str(each["path"]) for each in listed]
    if any(not path.resolve().is_relative_to(folder.resolve()) for path in paths):
        raise DataError(f"{folder}/modules.json names a folder outside of it", _HOW)
    if kinds[0] not in _TRANSFORMERS:
        raise DataError(f"{folder} begins with the module {kinds[0]}, which is no transformer", _HOW)
    # Where it was moved into the folder itself, as the hub shows such models.
    transformer = paths[0] if (paths[0] / "config.json").is_file() else folder
    stages = tuple(zip(kinds[1:], paths[1:], strict=True))
    if unknown := [kind for kind, _ in stages if kind not in ("Pooling", "Dropout", *_LAYERS)]:
        raise DataError(
            f"{folder} has the module {unknown[0]}, which is not known here",
            f"known: Pooling, {', '.join(sorted(_LAYERS))}, Dropout; {_HOW}",
        )
    return _described(folder, transformer, stages)


def _described(folder: Path, transformer: Path, stages: tuple[tuple[str, Path], ...]) -> SentenceFolder:
    reading = _first_json(transformer, _READING)
    output = reading.get("module_output_name", "token_embeddings")
    if reading.get("transformer_task", "feature-extraction") != "feature-extraction" or output != "token_embeddings":
        raise DataError(f"the transformer in {transformer} gives {output}, not the states of its tokens", _HOW)
    whole = _first_json(folder, "config_sentence_transformers.json")
    prompts = {name: text for name, text in (whole.get("prompts") or {}).items() if isinstance(text, str)}
    return SentenceFolder(
        transformer=transformer,
        stages=stages,
        declared=(folder / "modules.json").is_file(),
        most=_most(transformer, reading),
        lowercase=bool(reading.get("do_lower_case")),
        prompts=prompts,
        prompt_name=whole.get("default_prompt_name"),
    )


def _most(transformer: Path, reading: Mapping[str, Any]) -> int | None:
    """Later releases keep it with the tokenizer."""
    found = reading.get("max_seq_length") or _first_json(transformer, "tokenizer_config.json").get("model_max_length")
    return int(found) if isinstance(found, int | float) and 0 < found <= _LONGEST else None


def _first_json(folder: Path, pattern: str) -> dict[str, Any]:
    found: dict[str, Any] = next((read_json(path) for path in sorted(folder.glob(pattern))), {})
    return found


def prompt_of(said: SentenceFolder, name: str | None) -> str:
    """The text that stands before every text: of the prompt of that name, else the folder's own choice.

    Raises ConfigError.
    """
    chosen = said.prompt_name if name is None else name
    if not chosen:
        return ""
    if chosen not in said.prompts:
        known = ", ".join(sorted(said.prompts)) or "none"
        raise ConfigError(f"'model.prompt' is '{chosen}', the encoder's folder has: {known}", "name one of them")
    return said.prompts[chosen]


def sentence_of(said: SentenceFolder, width: int, pooling: str, skipped: int) -> Sentence:
    """The modules behind the transformer, whose states are `width` wide. `pooling` other than `auto` replaces theirs.

    `skipped`: tokens of the prompt, with the special ones before it. Raises DataError and ConfigError.
    """
    pools = [(number, path) for number, (kind, path) in enumerate(said.stages) if kind == "Pooling"]
    if len(pools) > 1 or (pools and pools[0][0]):
        raise DataError(f"{said.transformer} is not pooled once, right behind the transformer", _HOW)
    ways, left_out = _pooling(pools[0][1]) if pools else (("mean",), False)
    if pooling != "auto":
        ways = (pooling,)
    layers: list[nn.Module] = []
    wide = width * len(ways)
    for kind, path in said.stages:
        if kind in _LAYERS:
            layer, wide = _LAYERS[kind](path, wide)
            layers.append(layer)
    return Sentence(Pooling(ways, skipped if left_out else 0), layers, wide)


def _pooling(folder: Path) -> tuple[tuple[str, ...], bool]:
    """Ways of pooling, and whether the prompt is left out of it."""
    config = _config(folder)
    said = config.get("pooling_mode")
    if said is None:
        said = [name for key, name in _LEGACY.items() if config.get(key)] or ["mean"]
    names = [said] if isinstance(said, str) else list(said)
    if unknown := [str(name) for name in names if name not in NAMES]:
        raise DataError(f"{folder} pools by '{unknown[0]}', which is not known here", f"known: {', '.join(NAMES)}")
    return tuple(NAMES[name] for name in names), not config.get("include_prompt", True)


def _dense(folder: Path, width: int) -> tuple[nn.Module, int]:
    config, weights = _config(folder), _weights(folder)
    inner, outer = int(config["in_features"]), int(config["out_features"])
    _require_width(folder, inner, width)
    if {config.get(key) or "sentence_embedding" for key in ("module_input_name", "module_output_name")} != {
        "sentence_embedding"
    }:
        raise DataError(f"the dense layer in {folder} does not stand behind the pooling", _HOW)
    linear = nn.Linear(inner, outer, bias=bool(config.get("bias", True)))
    beside: nn.Module | None = None
    if config.get("use_residual"):
        beside = nn.Identity() if inner == outer else nn.Linear(inner, outer, bias=False)
    made = Dense(linear, _activation(folder, config.get("activation_function", "Tanh")), beside)
    named = {name.replace("residual.", "beside."): value.float() for name, value in weights.items()}
    _fill(made, named, folder)
    return made, outer


def _activation(folder: Path, named: object) -> nn.Module:
    """A class of torch.nn without parameters, by its last name; nothing is imported."""
    if named is None:
        return nn.Identity()
    kind = getattr(nn, str(named).rpartition(".")[2], None)
    if str(named).startswith(("torch.nn.", "Tanh")) and isinstance(kind, type) and issubclass(kind, nn.Module):
        made: nn.Module = kind()
        return made
    raise DataError(f"the dense layer in {folder} has the activation {named}, which is not of torch.nn", _HOW)


def _normalization(folder: Path, width: int) -> tuple[nn.Module, int]:
    dimension = int(_config(folder)["dimension"])
    _require_width(folder, dimension, width)
    made = nn.LayerNorm(dimension)
    _fill(made, {name.removeprefix("norm."): value.float() for name, value in _weights(folder).items()}, folder)
    return made, dimension


def _unit(folder: Path, width: int) -> tuple[nn.Module, int]:
    return UnitLength(), width


_LAYERS: Mapping[str, Callable[[Path, int], tuple[nn.Module, int]]] = {
    "Dense": _dense,
    "LayerNorm": _normalization,
    "Normalize": _unit,
}


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no config.json", _HOW)
    found: dict[str, Any] = read_json(folder / "config.json")
    return found


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    form = weights_of(folder)
    try:
        if form.endswith(".safetensors"):
            return load_file(folder / form)
        found: dict[str, torch.Tensor] = torch.load(folder / form, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001
        reason = str(error).split("\n")[0][:120]
        raise DataError(f"the weights in {folder} cannot be read: {reason}", "save the model again") from None
    return found


def _fill(module: nn.Module, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    try:
        module.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:140]
        raise DataError(f"the weights in {folder} are of another layer: {reason}", "save the model again") from None


def _require_width(folder: Path, said: int, width: int) -> None:
    if said != width:
        raise ConfigError(
            f"{folder} takes vectors of {said} values, the pooling gives {width}",
            "leave model.pooling out, so that the folder's own is taken",
        )
