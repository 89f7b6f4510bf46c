"""Language models as a service: speed against others, what our layers cost, and what must never happen.

    python benchmarks/peers/language_files.py FILE.gguf MODELS
    python benchmarks/language.py [PART ...] --home HOME --model NAME --graph GRAPH
        [--models MODELS --llama FOLDER --python PYTHON]

Parts: speed, layers, prefix, equal, cancel, harm, probabilities, characters; all without. HOME is a registry in which
`NAME` is served, GRAPH the folder of its graph. MODELS is what `language_files.py` wrote of the same weights, FOLDER
holds llama.cpp's libraries (`peers/llama_cpp.py`), PYTHON an interpreter with numpy for it. One thread for everybody;
contenders take turns in each round, and medians over rounds count. CPU seconds are those of a process with all its
threads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import language_rights as rights
import language_speed as speed
from language_compression import processor
from report import publish

Rows = list[tuple[str, object, str]]
PARTS: Mapping[str, Callable[[argparse.Namespace], Rows]] = {
    "speed": speed.engines,
    "layers": speed.layers,
    "prefix": speed.prefix,
    "cancel": speed.cancelled,
    "equal": rights.equal,
    "harm": rights.harm,
    "probabilities": rights.probabilities,
    "characters": rights.characters,
}


def main() -> None:
    asked = options()
    flags = {"avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"}
    known = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    rows: Rows = [("processor", processor(), ""), ("its instructions", " ".join(sorted(flags & known)), "")]
    for part in asked.parts or PARTS:
        rows += PARTS[part](asked)
        publish("language-" + "-".join(asked.parts or ["all"]), {"rows": [list(row) for row in rows]}, rows[-1:])
    publish("language-" + "-".join(asked.parts or ["all"]), {"rows": [list(row) for row in rows]}, rows)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
