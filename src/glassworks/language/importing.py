"""A model as its publisher brings it becomes a folder that is served: graph, tokenizer, settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from glassworks.errors import InputError, Unsupported
from glassworks.language.decoder_graph import build, types_of
from glassworks.language.gguf import GgufFile
from glassworks.language.gguf_tokenizer import tokenizer_of
from glassworks.language.hf_folder import CONFIG, HuggingFaceFolder, read_json
from glassworks.language.settings import GRAPH, TOKENIZER, LanguageSettings, write_settings
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.storage import linked

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>")
"""Special tokens that end an answer in the templates of the known families, whatever else their files say."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A model before it is written: what it is, and its weights one by one; or a `graph` that is served as it is.

    `files` are those that the weights are read from, `config` what a folder of Hugging Face's layout says of them,
    `notes` what people should know of how it was read.
    """

    settings: LanguageSettings
    tokenizer: Tokenizer
    files: tuple[Path, ...]
    weight: Callable[[str], NDArray[Any]]
    graph: Path | None = None
    config: Path | None = None
    notes: tuple[str, ...] = ()

    def sha256(self) -> str:
        """Of the files with the weights, one after the other."""
        whole = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()


def bring(path: Path, source: str) -> Brought:
    """Open a GGUF file, or a folder in Hugging Face's layout or OpenVINO's. Raises InputError and Unsupported."""
    try:
        brought = _with_known_tokens(_brought(path, source))
    except _MISSHAPEN as error:
        problem = f"{path}: what its files say of the model is misshapen: {type(error).__name__}: {str(error)[:200]}"
        raise InputError(problem, _WHOLE) from None
    _check_tokens(brought, path)
    return brought


_MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError)
_SHOWN = 5
_WHOLE = "give the model as its publisher wrote it"


def _with_known_tokens(brought: Brought) -> Brought:
    """Without tokens that were added to the tokenizer, but never to the embeddings: they would stand for no row."""
    vocabulary, named = brought.settings.architecture.vocabulary, json.loads(brought.tokenizer.to_str())
    unknown = [token["content"] for token in named.get("added_tokens", ()) if token["id"] >= vocabulary]
    if not unknown:
        return brought
    named["added_tokens"] = [token for token in named["added_tokens"] if token["id"] < vocabulary]
    some = ", ".join(unknown[:_SHOWN]) + (f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else "")
    note = f"tokens that were added without an embedding are read as any text: {some}"
    return replace(brought, tokenizer=Tokenizer.from_str(json.dumps(named)), notes=(*brought.notes, note))


def _check_tokens(brought: Brought, path: Path) -> None:
    """Every token has a row among the embeddings."""
    settings, most = brought.settings, brought.settings.architecture.vocabulary - 1
    last = max(brought.tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if last > most:
        raise InputError(f"{path}: the tokenizer has the token {last}, the weights end at {most}", _WHOLE)
    if any(not 0 <= number <= most for number in settings.stop_ids):
        raise InputError(f"{path}: an answer would end at {settings.stop_ids}, tokens are 0 to {most}", _WHOLE)


def _brought(path: Path, source: str) -> Brought:
    if path.is_dir() and (path / GRAPH).exists():
        return _from_openvino(path, source)
    if path.is_dir():
        return _from_folder(path, source)
    if path.suffix == ".gguf":
        return _from_gguf(path, source)
    raise InputError(f"{path} is neither a .gguf file nor a folder", "give one of these")


def write(brought: Brought, folder: Path, beside: Path | None = None) -> None:
    """Write the graph (float16 weights) into `folder`, tokenizer and settings into `beside`, or into `folder` too."""
    import openvino

    beside = beside or folder
    if brought.graph is not None:
        for suffix in (".xml", ".bin"):
            linked(brought.graph.with_suffix(suffix), (folder / GRAPH).with_suffix(suffix))
    else:
        graph = build(brought.settings.architecture, _halved(brought.weight))
        openvino.save_model(graph, folder / GRAPH, compress_to_fp16=False)
    write_beside(brought, beside)


def write_beside(brought: Brought, folder: Path) -> None:
    """The tokenizer and the settings."""
    brought.tokenizer.save(str(folder / TOKENIZER))
    write_settings(folder, brought.settings)


def _halved(weight: Callable[[str], NDArray[Any]]) -> Callable[[str], NDArray[Any]]:
    """Products in float16; vectors, of which there are few, in full."""

    def half(name: str) -> NDArray[Any]:
        values = weight(name)
        return values.astype(np.float16) if values.ndim > 1 else values

    return half


def _from_gguf(path: Path, source: str) -> Brought:
    file = GgufFile(path)
    tokenizer, tokens = tokenizer_of(file), file.field("tokenizer.ggml.tokens")
    named = {name: file.field(f"tokenizer.ggml.{theirs}_token_id") for name, theirs in _NAMED.items()}
    special = {f"{name}_token": tokens[number] for name, number in named.items() if number is not None}
    ends = {named["eos"], named["eot"]} - {None}
    return Brought(
        settings=LanguageSettings(
            architecture=file.architecture,
            source=source,
            stored=dict(file.types),
            license=str(file.field("general.license", "unspecified")),
            chat_template=str(file.field("tokenizer.chat_template", "")),
            special=special,
            stop_ids=_stop_ids(tokenizer, {int(end) for end in ends}),
            context=file.architecture.context,
        ),
        tokenizer=tokenizer,
        files=(path,),
        weight=file.weight,
    )


_NAMED: Mapping[str, str] = {"bos": "bos", "eos": "eos", "eot": "eot", "unk": "unknown", "pad": "padding"}


def _from_folder(path: Path, source: str) -> Brought:
    folder = HuggingFaceFolder(path)
    tokenizer = _read_tokenizer(path)
    return Brought(
        settings=_described(path, folder, tokenizer, source, folder.types),
        tokenizer=tokenizer,
        files=folder.files,
        weight=folder.weight,
        config=path / CONFIG,
    )


def _from_openvino(path: Path, source: str) -> Brought:
    graph = path / GRAPH
    types = types_of(graph)
    tokenizer = _read_tokenizer(path)

    def none(name: str) -> NDArray[Any]:
        raise Unsupported(f"{path} holds no weight '{name}' in safetensors", _NO_WEIGHTS)

    return Brought(
        settings=_described(path, HuggingFaceFolder(path, weights=False), tokenizer, source, types),
        tokenizer=tokenizer,
        files=(graph, graph.with_suffix(".bin")),
        weight=none,
        graph=graph,
    )


_NO_WEIGHTS = "import the model from its Hugging Face folder for that"


def _described(
    path: Path, folder: HuggingFaceFolder, tokenizer: Tokenizer, source: str, types: Mapping[str, int]
) -> LanguageSettings:
    """What the files beside the weights say."""
    described = _optional(path / "tokenizer_config.json")
    special = {key: _token_text(value) for key, value in described.items() if key.endswith("_token") and value}
    ends = {tokenizer.token_to_id(special["eos_token"])} if "eos_token" in special else set()
    for config in (folder.config, _optional(path / "generation_config.json")):
        found = config.get("eos_token_id")
        ends |= set(found) if isinstance(found, list) else {found}
    return LanguageSettings(
        architecture=folder.architecture,
        source=source,
        stored=dict(types),
        license=_license(path),
        chat_template=template_of(path),
        special=special,
        stop_ids=_stop_ids(tokenizer, {end for end in ends if end is not None}),
        context=folder.architecture.context,
    )


def _stop_ids(tokenizer: Tokenizer, named: set[int]) -> tuple[int, ...]:
    special = LanguageTokenizer(Tokenizer.from_str(tokenizer.to_str())).special
    return tuple(sorted(named | {special[token] for token in _TURN_ENDS if token in special}))


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # noqa: BLE001 - the library raises no class of its own
        raise InputError(f"cannot read {path / 'tokenizer.json'}: {error}", "give the folder as published") from None


def template_of(path: Path) -> str:
    """A folder's chat template: a file of its own in newer ones, a string or a list of named ones in older. Raises
    InputError."""
    if (path / "chat_template.jinja").exists():
        return (path / "chat_template.jinja").read_text(encoding="utf-8")
    found = _optional(path / "tokenizer_config.json").get("chat_template") or ""
    if isinstance(found, list):
        found = next((each["template"] for each in found if each.get("name") == "default"), "")
    return str(found)


def _license(path: Path) -> str:
    """As the folder's README says in its head."""
    readme = path / "README.md"
    if readme.exists():
        for line in readme.read_text(encoding="utf-8", errors="replace").splitlines()[:60]:
            if line.startswith("license:"):
                return line.partition(":")[2].strip() or "unspecified"
    return "unspecified"


def _token_text(value: Any) -> str:
    return str(value["content"]) if isinstance(value, dict) else str(value)


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
