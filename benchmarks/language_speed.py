"""The rows of `language.py` that are times: beside other engines, over our layers, with cached prefixes, cancelled."""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from language_served import Served, cpu_s, said

from glassworks.language.tokenizer import LanguageTokenizer

Rows = list[tuple[str, object, str]]
HERE = Path(__file__).parent
STREAMS, PROMPT = 8, 64
OURS, LLAMA, LLAMA_PLAIN, TORCH = "ours", "llama.cpp", "llama.cpp without extra forms", "transformers"
PREFIX, LONG, STEP_S = 1000, 4000, 0.002
READ_S, QUIET_S = 2.0, 1.5
"""CPU seconds of reading before hanging up; the engine counts as stopped when it computed nothing for so long."""
STARTS = 6
STOPS = {0, 2}


class Contender:
    """A process that answers as `peers/worker.py` says."""

    def __init__(self, *command: object) -> None:
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", **os.environ},  # as a server starts its engines
        )
        self.said = self._read()["said"]

    def ask(self, prompts: Sequence[Sequence[int]], tokens: int) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"prompts": prompts, "tokens": tokens}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


def contenders(asked: argparse.Namespace) -> dict[str, Contender]:
    """All that can be run here."""
    found = {OURS: Contender(sys.executable, HERE / "language_engine.py", asked.graph)}
    if asked.llama:
        command = (asked.python, HERE / "peers" / "llama_cpp.py", asked.llama, asked.models / "model-q8_0.gguf")
        found |= {LLAMA: Contender(*command), LLAMA_PLAIN: Contender(*command, "--plain")}
    if asked.models:
        worker = HERE / "peers" / "transformers_writer.py"
        found[TORCH] = Contender(sys.executable, worker, asked.models / "transformers")
    return found


def ids_of(asked: argparse.Namespace, count: int, seed: int) -> list[list[int]]:
    """Prompts of real text, of one length."""
    text = (HERE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    ids = LanguageTokenizer.read(tokenizer_file(asked)).encode(text)
    starts = random.Random(seed).sample(range(len(ids) - PROMPT), count)
    return [ids[start : start + PROMPT] for start in starts]


def tokenizer_file(asked: argparse.Namespace) -> Path:
    return (
        next(each for each in (asked.graph, asked.graph.parent) if (each / "tokenizer.json").exists())
        / "tokenizer.json"
    )


def engines(asked: argparse.Namespace) -> Rows:
    """One stream and eight: every engine in turn, each in a process of its own."""
    rates: dict[tuple[str, int, str], list[float]] = {}
    running = contenders(asked)
    for number in range(asked.rounds + 1):
        for streams in (1, STREAMS):
            prompts = ids_of(asked, streams, seed=number)
            for name, each in running.items():
                if name == TORCH and streams > 1:
                    continue
                answer = each.ask(prompts, asked.tokens)
                if number:  # the first round warms up
                    for clock in ("cpu", "wall"):
                        rates.setdefault((name, streams, clock), []).append(answer["tokens"] / answer[f"{clock}_s"])
                    reading = streams * PROMPT / answer["reading_cpu_s"]
                    rates.setdefault((name, streams, "reading"), []).append(reading)
                    print(
                        f"round {number}, {streams} at once: {name} {rates[name, streams, 'cpu'][-1]:.1f}",
                        file=sys.stderr,
                    )
    rows: Rows = [(f"{name} says", each.said, "") for name, each in running.items()]
    for each in running.values():
        each.close()
    return rows + compared(rates)


def compared(rates: Mapping[tuple[str, int, str], Sequence[float]]) -> Rows:
    """Medians, and medians of the ratios within a round."""
    rows: Rows = [
        (f"{name}, {streams} at once: tokens a second ({clock})", statistics.median(each), "")
        for (name, streams, clock), each in rates.items()
    ]
    bars = {(LLAMA, 1): 1.2, (LLAMA_PLAIN, 1): 1.2, (LLAMA, 8): 2.0, (LLAMA_PLAIN, 8): 2.0, (TORCH, 1): 5.0}
    for (other, streams), bar in bars.items():
        for clock in ("cpu", "wall"):
            if (other, streams, clock) in rates:
                ratio = _ratio(rates[OURS, streams, clock], rates[other, streams, clock])
                rows.append((f"{streams} at once: ours over {other} ({clock})", ratio, f"at least {bar}"))
    for clock in ("cpu", "wall"):
        ratio = _ratio(rates[OURS, STREAMS, clock], rates[OURS, 1, clock])
        rows.append((f"ours: {STREAMS} at once over one ({clock})", ratio, "at least 4"))
    return rows


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def layers(asked: argparse.Namespace) -> Rows:
    """The same prompts at the engine in a process of its own, and over HTTP in parts, in turns.

    Both keep prefixes and have seen the prompts before, so that a first token is one step of the engine. Both are
    started several times: where a process's memory lies alone makes a tenth of its speed.
    """
    found: dict[str, list[float]] = {}
    for start in range(STARTS):
        for key, values in _layers(asked, start).items():
            found.setdefault(key, []).extend(values)
    rows: Rows = []
    for streams in (1, STREAMS):
        name, middle = f"layers, {streams} at once:", lambda key: statistics.median(found[key])
        rows += [
            (f"{name} tokens a second lost (wall)", middle(f"{streams} lost"), "at most 0.05"),
            (f"{name} tokens a CPU second of the engine's process lost", middle(f"{streams} lost cpu"), "at most 0.05"),
            (f"{name} CPU us added a token, server and engine", middle(f"{streams} added"), ""),
        ]
    for percent in (50, 90):
        later = 1e3 * (quantile(found["over"], percent) - quantile(found["bare"], percent))
        rows.append((f"layers: first token later by (ms, p{percent})", later, "at most 5" if percent == 50 else ""))
    return rows


def _layers(asked: argparse.Namespace, start: int) -> dict[str, list[float]]:
    engine = Contender(sys.executable, HERE / "language_engine.py", asked.graph, "f32", "cached")
    pool = [ids for ids in ids_of(asked, 3 * STREAMS, seed=7) if _goes_on(engine, ids, asked.tokens)][: 2 * STREAMS]
    found: dict[str, list[float]] = {}
    with Served(asked.home, asked.model) as served:
        for ids in pool:
            served.text({"model": asked.model, "prompt": ids, "max_tokens": 1, "temperature": 0})
        for number in range(start, asked.rounds, STARTS):
            for streams in (1, STREAMS):
                prompts = (pool + pool)[number % len(pool) :][:streams]
                over = _over_http(served, asked.model, prompts, asked.tokens)
                for key, value in _differences(over, engine.ask(prompts, asked.tokens)).items():
                    found.setdefault(f"{streams} {key}", []).append(value)
        for ids in pool:
            body = {"model": asked.model, "prompt": ids, "max_tokens": 2, "temperature": 0}
            found.setdefault("bare", []).append(engine.ask([ids], 2)["reading_wall_s"])
            found.setdefault("over", []).append(first_token_s(served, body))
    engine.close()
    return found


def _goes_on(engine: Contender, ids: Sequence[int], tokens: int) -> bool:
    (answer,) = engine.ask([ids], tokens)["ids"]
    return not STOPS & set(answer)


def _differences(over: Mapping[str, Any], bare: Mapping[str, Any]) -> dict[str, float]:
    def lost(ours: str, theirs: str) -> float:
        return 1 - over["tokens"] / over[ours] / (bare["tokens"] / bare[theirs])

    added = 1e6 * (over["cpu_s"] / over["tokens"] - bare["cpu_s"] / bare["tokens"])
    return {"lost": lost("wall_s", "wall_s"), "lost cpu": lost("engine_s", "cpu_s"), "added": added}


def quantile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


def first_token_s(served: Served, body: Mapping[str, Any]) -> float:
    """Until the first part with text has come."""
    events = served.stream("/v1/completions", body)
    taken = next(event.after_s for event in events if any(map(said, event.content["choices"])))
    for _ in events:
        pass
    return taken


def _over_http(served: Served, model: str, prompts: Sequence[Sequence[int]], tokens: int) -> dict[str, float]:
    """What `peers/worker.py` measures, of streams over HTTP; a part with text is a token."""
    counts, lock, first = [0] * len(prompts), threading.Lock(), list[Sequence[float]]()
    (engine,) = served.engines()

    def now() -> list[float]:
        return [time.perf_counter(), served.cpu_s(), cpu_s(engine), sum(counts)]

    def drain(row: int) -> None:
        body = {"model": model, "prompt": prompts[row], "max_tokens": tokens, "temperature": 0}
        for event in served.stream("/v1/completions", {**body, "stream_options": {"include_usage": True}}):
            usage = event.content.get("usage") or {}
            with lock:
                counts[row] = usage.get("completion_tokens", counts[row] + 1)
                if not first and all(counts):
                    first.append(now())

    threads = [threading.Thread(target=drain, args=(row,)) for row in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, both, alone, done = (after - before for after, before in zip(now(), first[0], strict=True))
    return {"tokens": done, "wall_s": wall, "cpu_s": both, "engine_s": alone}


def prefix(asked: argparse.Namespace) -> Rows:
    """A prompt of which 1,000 tokens are in the cache, against one of which none is, in turns."""
    ids, cold, warm, told = long_ids(asked), list[float](), list[float](), set[int]()
    with Served(asked.home, asked.model) as served:
        for number in range(asked.rounds):
            start = random.Random(number).randrange(len(ids) - PREFIX - 64)
            beginning = [100 + number, *ids[start : start + PREFIX - 1]]  # no other round begins so
            for tail, times in ((1, cold), (2, warm)):
                prompt = [*beginning, *ids[64 * tail : 64 * tail + 24]]
                body = {"model": asked.model, "prompt": prompt, "max_tokens": 2, "temperature": 0}
                times.append(first_token_s(served, body))
            status, answer = served.post("/v1/completions", body)
            told.add(answer["usage"]["prompt_tokens_details"]["cached_tokens"] if status == 200 else -1)
    ratio = statistics.median(b / a for a, b in zip(cold, warm, strict=True))
    return [
        ("first token of 1,024 tokens, none cached (s)", statistics.median(cold), ""),
        ("first token, a prefix of 1,000 cached: share of that time", ratio, "at most 0.15"),
        ("cached tokens that usage tells then", str(sorted(told)), ""),
    ]


def long_ids(asked: argparse.Namespace) -> list[int]:
    """Tokens of many pages."""
    pages = sorted((HERE.parent / "docs").rglob("*.md"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages[:12])
    return LanguageTokenizer.read(tokenizer_file(asked)).encode(text)


def cancelled(asked: argparse.Namespace) -> Rows:
    """Hang up in the middle of reading 4,000 tokens; the engine's process must stop computing."""
    ids, rows = long_ids(asked), list[tuple[str, object, str]]()
    with Served(asked.home, asked.model) as served:
        (engine,) = served.engines()
        served.text({"model": asked.model, "prompt": ids[:32], "max_tokens": 2, "temperature": 0})
        paths = ("/v1/completions", f"/v2/models/{asked.model}/generate_stream")
        for path in paths:
            times = list[float]()
            for number in range(asked.rounds):
                prompt = [200 + number, *ids[-LONG - number :][: LONG - 1]]
                times.append(_stopped_after(served, engine, path, asked.model, prompt))
            for percent in (50, 100):
                name = f"{path}: cancelled while 4,000 tokens are read, stopped within (ms, p{percent})"
                rows.append((name, 1e3 * quantile(times, percent), "at most 200"))
    return rows


def _stopped_after(served: Served, engine: int, path: str, model: str, prompt: Sequence[int]) -> float:
    """Seconds from hanging up to the last moment at which the engine's process computed."""
    connection = served.connect()
    parameters = {"max_tokens": 8, "temperature": 0}
    body: Mapping[str, Any] = {"model": model, "prompt": prompt, "stream": True, **parameters}
    if path.startswith("/v2"):
        body = {"text_input": "", "parameters": {"prompt_ids": prompt, **parameters}}
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    enough = cpu_s(engine) + READ_S
    while cpu_s(engine) < enough:
        time.sleep(STEP_S)
    if connection.sock:
        connection.sock.close()
    connection.close()
    begun, last, seen = time.perf_counter(), 0.0, cpu_s(engine)
    while (now := time.perf_counter() - begun) < last + QUIET_S:
        if (found := cpu_s(engine)) != seen:
            last, seen = now, found
        time.sleep(STEP_S)
    return last
