"""Tries a pretrained encoder before anything is trained: what it reads, alone and in a batch, and its graphs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime
from glassworks.errors import GlassworksError, Unsupported
from glassworks.families._text.encoder import Backbone
from glassworks.families._text.encoder_kinds import TRIED, adapted, class_of, twin_config

_TOLERANCE = 2e-3
"""Of the largest value: engines differ by a hundredth of it."""
_LONG, _SHORT = 9, 4
"""Tokens of the texts that are tried; neither is the length of the exporter's example."""
_LONGEST = 1024
"""More is not tried: it would take as long as a step of training."""

Forward = Callable[[Tensor, Tensor], Tensor]


def may_fill(forward: Forward, found: Backbone, most: int, prompt: int = 0) -> bool:
    """Whether a text has the same vector beside a longer one, where its row is filled up.

    `forward` takes ids (N T) and mask (N T); no text is shorter than `prompt` tokens. Raises Unsupported where a text
    of `most` tokens cannot be read.
    """
    with torch.inference_mode():
        try:
            longest = _texts(found, 1, min(most, _LONGEST))
            ids, mask = _pair(found, min(most, prompt + _LONG), short=prompt + _SHORT)
            short = int(mask[1].sum())
            values = [forward(longest, torch.ones_like(longest)), forward(ids[1:, :short], mask[1:, :short])]
            together = forward(ids, mask)
        except Exception as error:  # noqa: BLE001
            # Whatever an architecture does not take, it says in its own way.
            raise refused(found, f"cannot read texts of {most} tokens", error) from None
    if not all(bool(each.isfinite().all()) for each in values):
        raise refused(found, f"gives no numbers for texts of {most} tokens")
    return _alike(together[1:], values[1])


def require_vectors(by_ids: Forward, by_vectors: Forward, found: Backbone) -> None:
    """Raises Unsupported where the encoder reads vectors of tokens as something else than the tokens."""
    ids, mask = _texts(found, 1, _LONG), torch.ones(1, _LONG, dtype=torch.int64)
    with torch.inference_mode():
        try:
            values = by_ids(ids, mask), by_vectors(ids, mask)
        except Exception as error:  # noqa: BLE001
            raise refused(found, "does not take the vectors of tokens, which explanations start from", error) from None
    if not _alike(*values):
        raise refused(found, "reads the vectors of tokens as something else than the tokens themselves")


def twin(found: Backbone) -> Any:
    """An encoder of the same architecture with at most two layers, few tokens and random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = class_of(found.config).from_config(twin_config(found.config), attn_implementation="eager")
    return adapted(made).eval().requires_grad_(requires_grad=False)


def require_same_graph(
    forward: Forward, artifact: Artifact, folder: Path, found: Backbone, *, filled: bool, prompt: int = 0
) -> None:
    """Compare the graph (ids, mask -> one output) with the network at other sizes, with rows that are filled up where
    they may be. Raises Unsupported."""
    ids, mask = _pair(found, prompt + _LONG, short=prompt + _SHORT, few=True)
    short = prompt + _SHORT
    cases = [(ids, mask if filled else torch.ones_like(mask)), (ids[1:, :short], mask[1:, :short])]
    try:
        session = get(Runtime, "onnxruntime").open(Opened(artifact=artifact, folder=folder))
        try:
            for tokens, there in cases:
                with torch.inference_mode():
                    wanted = forward(tokens, there)
                (got,) = session.run({"ids": tokens.numpy(), "mask": there.numpy()}).values()
                if not _alike(torch.from_numpy(np.array(got)), wanted):
                    raise refused(found, "answers differently once it is exported")
        finally:
            session.close()
    except GlassworksError as error:
        raise error if isinstance(error, Unsupported) else refused(found, "cannot be exported", error) from None
    except Exception as error:  # noqa: BLE001
        raise refused(found, "cannot be exported for texts of any length", error) from None


def require_same_gradient(
    scores: Callable[[Tensor], Tensor], vectors: Tensor, artifact: Artifact, folder: Path, found: Backbone
) -> None:
    """Compare the compiled gradient with PyTorch's, for token vectors (1 T D). Raises Unsupported."""
    given = vectors.detach().requires_grad_(True)
    (wanted,) = torch.autograd.grad(scores(given)[:, 0].sum(), given)
    try:
        session = get(Runtime, "onnxruntime").open(Opened(artifact=artifact, folder=folder))
        try:
            got = session.run({"vectors": vectors.detach().numpy(), "target": np.zeros(1, np.int64)})["gradient"]
        finally:
            session.close()
    except Exception as error:  # noqa: BLE001
        raise refused(found, "cannot be explained: its gradient has no graph for texts of any length", error) from None
    if not _alike(torch.from_numpy(np.array(got)), wanted):
        raise refused(found, "cannot be explained: the graph of its gradient gives other numbers")


def refused(found: Backbone, what: str, error: BaseException | None = None) -> Unsupported:
    """The two lines for an encoder that does not work."""
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    why = f": {lines[0][:100]}" if lines else ""
    return Unsupported(
        f"the encoder in {found.folder} ({found.config.model_type}) {what}{why}", f"give another: {TRIED}"
    )


def memory(folder: Path, found: Backbone, how: Mapping[str, Any]) -> Path:
    """Where it is remembered that an encoder has been tried: by all that could change the outcome."""
    import transformers

    about = [
        torch.__version__,
        transformers.__version__,
        found.config.to_json_string(),
        repr(found.sentence.stages),
        how,
    ]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()
    return folder.parent / f"encoder-{digest[:24]}.json"


def _texts(found: Backbone, count: int, length: int, *, few: bool = False) -> Tensor:
    """Ids (count length) of any tokens; the same ones every time."""
    size = min(found.tokenizer.get_vocab_size(), int(twin_config(found.config).vocab_size) if few else 2**31)
    ids = torch.randint(0, size, (count, length), generator=torch.Generator().manual_seed(1))
    return torch.where(ids == found.pad, (found.pad + 1) % size, ids)


def _pair(found: Backbone, length: int, *, short: int = _SHORT, few: bool = False) -> tuple[Tensor, Tensor]:
    """Two texts (2 T) with their mask, of which the second is shorter and filled up."""
    ids, mask = _texts(found, 2, length, few=few), torch.ones(2, length, dtype=torch.int64)
    ids[1, short:], mask[1, short:] = found.pad, 0
    return ids, mask


def _alike(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape:
        return False
    return bool((found - wanted).abs().max() <= _TOLERANCE * wanted.abs().max().clamp_min(1e-3))
