"""vLLM: decoders on GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Device, Opened, Precision, Runtime, Session
from glassworks.errors import BundleError, GlassworksError, Unsupported


class Vllm(Runtime):
    """Generates text with the weights of a decoder on a GPU, many answers at a time; what it computes on is the choice
    of who installs vllm, as each build of it is for one kind of device.
    """

    name: ClassVar[str] = "vllm"
    accepts: ClassVar[frozenset[str]] = frozenset({"safetensors"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": "", "bf16": ""})
    devices: ClassVar[tuple[Device, ...]] = ("cpu", "cuda")
    own_process: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("vllm",)
    extra: ClassVar[str] = "vllm"

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        from glassworks.language.session import LanguageSession
        from glassworks.language.settings import read_settings
        from glassworks.language.vllm_settings import computes_on, require_memory, settings_of

        if device == "cuda" and computes_on() == "cpu":
            raise Unsupported("the vllm of this machine is built for cpu, not for cuda", "install its build for CUDA")
        artifact = opened.artifact
        settings = settings_of(read_settings(opened.folder), artifact.precision, artifact.threads)
        require_memory(opened.folder.name, settings)
        try:
            return LanguageSession(opened.path.parent, opened.folder, settings)
        except GlassworksError:
            raise
        except Exception as error:  # vLLM raises whatever its libraries do
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
            problem = f"vllm cannot open {opened.folder.name}: {reason}"
            raise BundleError(problem, "import the model again, or with model.engine = openvino") from error
