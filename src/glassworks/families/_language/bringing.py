"""A published model is found, checked against the machine's memory, and written as a graph."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.contracts import Artifact, Opened
from glassworks.data.hub import downloaded
from glassworks.data.installed import installed
from glassworks.errors import ConfigError, DataError, Unsupported
from glassworks.families._language.settings import REGISTERED, LanguageModelConfig
from glassworks.language.adapters import with_adapter
from glassworks.language.hf_writing import write_folder
from glassworks.language.importing import Brought, bring, write, write_beside
from glassworks.language.memory import needed, require_fits
from glassworks.language.reopening import reopened
from glassworks.language.settings import FILE, GRAPH, TOKENIZER, LanguageSettings
from glassworks.language.vllm_settings import require_memory, settings_of

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts import Model, Progress

_SCHEMES = "gguf:FILE, folder:PATH, package:LIBRARY/FILE, hf:OWNER/NAME, registered:NAME"
_FLOATS = frozenset(("F32", "F16", "BF16", "F64"))
_FOLDER, _HF_FOLDER = "fp16", "hf"
_FILES = ("*.json", "*.safetensors", "*.jinja", "README.md", "LICENSE*", "openvino_model.*")


def find_model(job: Job, config: LanguageModelConfig, progress: Progress, base: Opened | None = None) -> Brought:
    """The model that the job names, which is `base` if it is registered, with what the job says instead of it.

    Raises ConfigError, DataError, InputError,
    and Unsupported for what does not fit.
    """
    _require_engine(config)
    progress.start("bring")
    brought = reopened(base, config.source) if base is not None else bring(_found(config.source), config.source)
    if config.adapter:
        require_weights(brought)
        brought = with_adapter(brought, _adapter(config.adapter))
    settings = _overridden(brought, config)
    _require_memory(job.name, settings)
    brought = replace(brought, settings=settings)
    progress.finish("; ".join((_sentence(brought), *brought.notes)))
    return brought


def require_weights(brought: Brought) -> None:
    """Raises Unsupported for a graph, whose weights are not those of a decoder that could learn."""
    if brought.graph is not None:
        raise Unsupported(
            f"{brought.settings.source} is a graph ({GRAPH}): it has no weights that could be changed",
            "take the model's GGUF file, or its Hugging Face folder with safetensors: model.source",
        )


def export(model: Model, folder: Path) -> Artifact:
    """Write the graph of a `Brought` with its weights in float16, tokenizer and settings; for vLLM a folder instead."""
    if model.network.settings.engine == "vllm":
        return _for_vllm(model.network, folder)
    graph = folder / _FOLDER
    graph.mkdir(exist_ok=True)
    write(model.network, graph, folder)
    weights = Path(GRAPH).with_suffix(".bin").name
    return Artifact(
        role="predict",
        format="decoder",
        file=f"{_FOLDER}/{GRAPH}",
        beside=(f"{_FOLDER}/{weights}", TOKENIZER, FILE),
        made_by="export",
        settings=_few_bits(model.network.settings),
    )


def _few_bits(settings: LanguageSettings) -> dict[str, str]:
    """The type of most of the weights, where that has 4 bits or fewer: another such form would lose much."""
    most = max(settings.stored, key=settings.stored.__getitem__)
    few = re.match(r"(I?Q[1-4]|U4|I4|NF4)(_|$)", most) is not None
    return {"few_bits": most} if few and not settings.requantize else {}


def _for_vllm(brought: Brought, folder: Path) -> Artifact:
    inner = folder / _HF_FOLDER
    inner.mkdir(exist_ok=True)
    config, *others = write_folder(brought, inner)
    write_beside(brought, folder)
    return Artifact(
        role="predict",
        format="safetensors",
        file=f"{_HF_FOLDER}/{config}",
        beside=(*(f"{_HF_FOLDER}/{name}" for name in others), TOKENIZER, FILE),
        made_by="export",
    )


def _require_engine(config: LanguageModelConfig) -> None:
    """Raises MissingLibrary before anything is read: what is served is measured first."""
    if config.engine == "vllm":
        require(("vllm",), "'model.engine' = \"vllm\"", extra="vllm")
    elif config.gpu_memory is not None:
        raise ConfigError("'model.gpu_memory' is for vllm", "leave it out, or set 'model.engine' to vllm")


def _found(source: str) -> Path:
    scheme, _, what = source.partition(":")
    if scheme == "package":
        library, _, inner = what.partition("/")
        return installed(library, inner)
    if scheme == "hf":
        return Path(what) if Path(what).is_dir() else downloaded(what, "model", _FILES, local="folder:PATH")
    if scheme not in ("gguf", "folder") or not what:
        raise ConfigError(f"'model.source' is '{source}'", f"write one of: {_SCHEMES}")
    path = Path(what).expanduser()
    if not path.exists():
        raise DataError(f"there is no {'file' if scheme == 'gguf' else 'folder'} {path}", f"write one of: {_SCHEMES}")
    return path


def _adapter(source: str) -> Path:
    scheme, _, what = source.partition(":")
    if scheme != "folder" or not what:
        raise ConfigError(f"'model.adapter' is '{source[:100]}'", "write folder:PATH, as peft saves adapters")
    path = Path(what).expanduser()
    if not path.is_dir():
        raise DataError(f"there is no folder {path}", "give the folder of the adapter: model.adapter")
    return path


_CHOSEN = frozenset({"streams", "engine", "requantize", "gpu_memory", "max_tokens"})
"""What a registered model keeps where the job does not say it."""


def _overridden(brought: Brought, config: LanguageModelConfig) -> LanguageSettings:
    """What the job says instead of the model. Raises ConfigError."""
    settings = brought.settings
    context = config.context or settings.context
    if context > settings.context:
        raise ConfigError(
            f"'model.context' is {context}, the model was made for {settings.context} tokens",
            f"give at most {settings.context}, or leave it out",
        )
    more = {
        "context": context,
        "streams": config.streams,
        "engine": config.engine,
        "requantize": config.requantize,
        "gpu_memory": config.gpu_memory or 0.0,
        "max_tokens": min(config.max_tokens, context),
        "special": {**settings.special, **config.special},
        "chat_template": config.chat_template or settings.chat_template,
        "stop_ids": tuple(sorted({*settings.stop_ids, *(_token(brought, token) for token in config.stop)})),
    }
    said = config.model_fields_set
    kept = {name for name in _CHOSEN - said if settings.source.startswith(REGISTERED)}
    return settings.model_copy(update={name: value for name, value in more.items() if name not in kept})


def _token(brought: Brought, token: str) -> int:
    number = brought.tokenizer.token_to_id(token)
    if number is None:
        raise ConfigError(f"'model.stop' names '{token}', which is no token", "name tokens of the model")
    return int(number)


def _require_memory(name: str, settings: LanguageSettings) -> None:
    """For the most exact form, with weights in float16, which is measured before smaller ones."""
    if settings.engine == "vllm":
        require_memory(name, settings_of(settings))
        return
    tokens = settings.context * settings.streams
    memory = needed(settings.architecture, 2 * settings.architecture.parameters, tokens)
    mend = "lower model.streams or model.context, or take a machine with more memory"
    require_fits(memory, name, mend)


def about(settings: LanguageSettings) -> dict[str, Any]:
    """What users may know of the model."""
    return {**settings.model_dump(mode="json"), "vocabulary": settings.architecture.vocabulary}


def notes_of(brought: Brought) -> tuple[str, ...]:
    """What people should know of how the model's weights were read."""
    stored = stored_as(brought)
    return (*((f"the model's weights are {stored}",) if "," in stored else ()), *brought.notes)


def stored_as(brought: Brought) -> str:
    """In which types the weights came; where they are fewer bits than numbers have, how they are read."""
    stored = brought.settings.stored
    exactly = ", dequantized exactly" if brought.graph is None and not _FLOATS.issuperset(stored) else ""
    return f"stored as {' and '.join(stored)}{exactly}"


def _sentence(brought: Brought) -> str:
    settings = brought.settings
    a = settings.architecture
    return (
        f"{a.kind}, {a.parameters / 1e6:,.0f} million weights {stored_as(brought)}, context {settings.context:,}, "
        f"{'a' if settings.chat_template else 'no'} chat template"
    )
