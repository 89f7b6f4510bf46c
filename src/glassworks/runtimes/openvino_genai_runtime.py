"""OpenVINO GenAI: decoders with continuous batching."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Device, Opened, Precision, Runtime, Session
from glassworks.errors import BundleError, GlassworksError, Unsupported


class OpenVinoGenAi(Runtime):
    """Generates text with the graph of a decoder, many answers at a time."""

    name: ClassVar[str] = "openvino_genai"
    accepts: ClassVar[frozenset[str]] = frozenset({"decoder"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType(
        {"fp32": "", "bf16": "answers would depend on what else is computed with them", "int8": "", "int4": ""}
    )
    own_process: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("openvino_genai",)

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        from glassworks.language.continuous_batching import EngineSettings
        from glassworks.language.memory import needed, require_fits
        from glassworks.language.session import LanguageSession
        from glassworks.language.settings import read_settings

        if device != "cpu":
            raise Unsupported(f"the runtime '{self.name}' runs on cpu, not on {device}", "choose cpu")
        artifact, settings = opened.artifact, read_settings(opened.folder)
        stored = artifact.settings.get("kv_cache", "f32")
        tokens = settings.context * settings.streams
        # The cache grows with what is asked: a search asks for an answer at a time.
        least = settings.context if opened.searched else tokens
        memory = needed(settings.architecture, opened.path.with_suffix(".bin").stat().st_size, least, stored)
        require_fits(memory, opened.path.name, "lower model.streams or model.context, and import the model again")
        late = opened.searched  # most forms are only scored there
        engine = EngineSettings(cache_tokens=tokens, threads=artifact.threads, kv_cache=stored, late=late)
        try:
            return LanguageSession(opened.path.parent, opened.folder, engine)
        except GlassworksError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:200]
            problem = f"the engine cannot open {opened.path.name}: {reason}"
            raise BundleError(problem, "import the model again") from error
