"""The rows of `language.py` that are right or wrong: equal answers, unharmed neighbors, probabilities, characters."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from language_served import Served
from language_speed import long_ids, tokenizer_file

from glassworks.language.tokenizer import LanguageTokenizer

Rows = list[tuple[str, object, str]]
PROMPTS, TOKENS, AT_ONCE = 25, 32, 8
CHARACTERS, CHOICES = 100_000, 16


def bodies(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Prompts of many lengths, each greedy and seeded."""
    ids = long_ids(asked)
    found = []
    for number in range(PROMPTS):
        prompt = ids[211 * number :][: 16 + 13 * (number % 9)]
        common = {"model": asked.model, "prompt": prompt, "max_tokens": TOKENS}
        found += [{**common, "temperature": 0}, {**common, "temperature": 1, "seed": number}]
    return found


def equal(asked: argparse.Namespace) -> Rows:
    """Each answer once cold and alone; then again, in parts, among others, and both."""
    asking = bodies(asked)
    with Served(asked.home, asked.model) as served, ThreadPoolExecutor(AT_ONCE) as pool:
        cold = [served.text(body) for body in asking]
        ways: Mapping[str, Callable[[], list[str]]] = {
            "warm, alone": lambda: [served.text(body) for body in asking],
            "warm, alone, in parts": lambda: [served.streamed(body) for body in asking],
            "among 8": lambda: list(pool.map(served.text, asking)),
            "among 8, in parts": lambda: list(pool.map(served.streamed, asking)),
        }
        right = {name: [a == b for a, b in zip(cold, way(), strict=True)] for name, way in ways.items()}
    rows: Rows = [
        (f"equal to the cold answer alone: {name}", f"{sum(each)} of {len(each)}", "") for name, each in right.items()
    ]
    whole = [each for found in right.values() for each in found]
    greedy = [each for found in right.values() for each in found[::2]]
    rows.append(("of them greedy", f"{sum(greedy)} of {len(greedy)}", ""))
    return [
        *rows,
        ("answers equal cold, warm, alone, among 8, in parts or not", f"{sum(whole)} of {len(whole)}", "200 of 200"),
    ]


def harm(asked: argparse.Namespace) -> Rows:
    """Eight answers are under way while somebody else does what kills other servers."""
    asking = bodies(asked)[: 2 * AT_ONCE]
    rows: Rows = []
    with Served(asked.home) as served, ThreadPoolExecutor(AT_ONCE) as pool:
        alone = [served.text(body) for body in asking]
        for name, deed in DEEDS.items():
            ended, said = threading.Event(), list[str]()
            thread = threading.Thread(target=_again, args=(deed, served, asked.model, ended, said))
            thread.start()
            found = list(pool.map(served.streamed, asking))
            ended.set()
            thread.join()
            unharmed = sum(a == b for a, b in zip(alone, found, strict=True))
            rows.append(
                (
                    f"beside {name} ({len(said)} times: {', '.join(sorted(set(said)))}): unharmed",
                    f"{unharmed} of {len(found)}",
                    "all",
                )
            )
        rows += _killed(served, asked, asking[0], alone[0])
    return rows


def _again(
    deed: Callable[[Served, str], str], served: Served, model: str, ended: threading.Event, said: list[str]
) -> None:
    while not ended.is_set():
        said.append(deed(served, model))
        time.sleep(0.05)


def _broken(served: Served, model: str) -> str:
    schema = {"type": "object", "properties": {"a": {"type": "nothing"}}, "required": 3}
    form = {"type": "json_schema", "json_schema": {"name": "broken", "schema": schema}}
    message = [{"role": "user", "content": "Hi"}]
    body = {"model": model, "messages": message, "response_format": form, "max_tokens": 4}
    return str(served.post("/v1/chat/completions", body)[0])


def _doubled(served: Served, model: str) -> str:
    body = {"model": model, "prompt": "One, two,", "max_tokens": 3, "temperature": 0}
    with ThreadPoolExecutor(2) as pool:
        name = {"X-Request-Id": "the-same"}
        found = list(pool.map(lambda _: served.post("/v1/completions", body, name)[0], range(2)))
    return "/".join(map(str, found))


def _hung_up(served: Served, model: str) -> str:
    events = served.stream("/v1/completions", {"model": model, "prompt": "A story:", "max_tokens": 200})
    next(events)
    events.close()
    return "left"


DEEDS: Mapping[str, Callable[[Served, str], str]] = {
    "a broken schema": _broken,
    "a doubled request id": _doubled,
    "neighbors that hang up": _hung_up,
}


def _killed(served: Served, asked: argparse.Namespace, body: Mapping[str, Any], alone: str) -> Rows:
    """The engine dies of SIGKILL in mid-stream: its stream must end with an error, and the next request be answered.

    Another model's stream, where the registry has one, must go on.
    """
    engines, begun = served.engines(), time.perf_counter()
    names = [each["id"] for each in _models(served)]
    other = next((name for name in names if name.partition("@")[0] != asked.model), None)
    with ThreadPoolExecutor(1) as pool:
        victim = _engine_of(served, {**body, "max_tokens": 4}, engines)
        beside = {**body, "model": other, "max_tokens": TOKENS} if other else None
        reference = served.text(beside) if beside else ""
        running = pool.submit(served.streamed, beside) if beside else None
        events = served.stream("/v1/completions", {**body, "max_tokens": 400})
        next(events)
        os.kill(victim, signal.SIGKILL)
        last: Any = {}
        with suppress(OSError, ValueError):
            for event in events:
                last = event.content
        begun = time.perf_counter()
        again = _until_answered(served, body)
    rows: Rows = [
        (
            "engine killed in mid-stream: its stream ends with",
            "an error event" if "error" in last else str(last),
            "an error",
        ),
        ("engine killed: the next answer is equal", str(again == alone), "True"),
        ("engine killed: seconds until it was there", time.perf_counter() - begun, ""),
    ]
    if running:
        rows.append((f"engine killed: '{other}' beside it unharmed", str(running.result() == reference), "True"))
    return rows


def _models(served: Served) -> list[dict[str, Any]]:
    import json

    connection = served.connect()
    connection.request("GET", "/v1/models")
    found: list[dict[str, Any]] = json.loads(connection.getresponse().read())["data"]
    return found


def _engine_of(served: Served, body: Mapping[str, Any], engines: Sequence[int]) -> int:
    """The engine that computes most while the model is asked."""
    from language_served import cpu_s

    before = [cpu_s(pid) for pid in engines]
    served.text(body)
    return max(zip(engines, before, strict=True), key=lambda each: cpu_s(each[0]) - each[1])[0]


def _until_answered(served: Served, body: Mapping[str, Any]) -> str:
    for _ in range(600):
        status, found = served.post("/v1/completions", body)
        if status == 200:
            return str(found["choices"][0]["text"])
        time.sleep(0.2)
    return ""


def probabilities(asked: argparse.Namespace) -> Rows:
    """Of prompts and of chosen tokens against transformers in float32 on the weights of the same file."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(asked.models / "transformers", dtype=torch.float32)
    tokenizer, ids = LanguageTokenizer.read(tokenizer_file(asked)), long_ids(asked)
    prompts = [ids[401 * number :][:96] for number in range(8)]
    rows: Rows = []
    with Served(asked.home) as served:
        for name in [each["id"] for each in _models(served)]:
            found = np.concatenate([_differences(served, name, model, tokenizer, prompt) for prompt in prompts])
            rows += [
                (
                    f"'{name}': log-probabilities against transformers, largest difference of {len(found)}",
                    float(found.max()),
                    "at most 1e-3 in fp32",
                ),
                (f"'{name}': the same, median", float(np.median(found)), ""),
            ]
    return rows


def _differences(served: Served, name: str, model: Any, tokenizer: LanguageTokenizer, prompt: Sequence[int]) -> Any:
    """Of the prompt's tokens, which are scored, and of up to 16 chosen ones, of which the engine tells."""
    import torch

    def theirs(ids: Sequence[int]) -> Any:
        with torch.inference_mode():
            logits = model(torch.tensor([list(ids)])).logits[0]
        return torch.log_softmax(logits.double(), -1).numpy()

    body = {"model": name, "prompt": list(prompt), "max_tokens": 16, "temperature": 0}
    status, found = served.post("/v1/completions", {**body, "logprobs": 0, "prompt_logprobs": 0})
    if status != 200:
        raise SystemExit(f"{status} {found}")
    choice = found["choices"][0]
    of_prompt = [next(iter(each.values()))["logprob"] for each in choice["prompt_logprobs"][1:]]
    reference = theirs(prompt)
    right = [reference[place, token] for place, token in enumerate(prompt[1:])]
    chosen, tokens = choice["logprobs"]["token_logprobs"], choice["logprobs"]["tokens"]
    best = _greedy(model, tuple(prompt), 16)
    same = 0
    while same < len(chosen) and tokens[same] == tokenizer.decode([best[same][0]]):
        same += 1  # after another token both go on differently
    right += [each for _, each in best[:same]]
    return np.abs(np.array([*of_prompt, *chosen[:same]]) - np.array(right))


@cache
def _greedy(model: Any, prompt: tuple[int, ...], count: int) -> list[tuple[int, float]]:
    """Tokens with their log-probabilities."""
    import torch

    ids, found = list(prompt), []
    with torch.inference_mode():
        for _ in range(count):
            last = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), -1)
            ids.append(int(last.argmax()))
            found.append((ids[-1], float(last.max())))
    return found


def characters(asked: argparse.Namespace) -> Rows:
    """A tiny model whose tokens are single bytes writes Chinese and emoji, drawn at random within a pattern."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _tiny(Path(folder), home)
        with Served(home) as served, ThreadPoolExecutor(CHOICES) as pool:
            streamed, whole, count, number = list[str](), list[str](), 0, 0
            while count < CHARACTERS:
                asking = [_written(number + each) for each in range(CHOICES)]
                number += CHOICES
                streamed += pool.map(lambda body: served.streamed(body, "/v1/chat/completions"), asking)
                whole += pool.map(lambda body: served.text(body, "/v1/chat/completions"), asking)
                count = sum(map(len, streamed))
    text = "".join(streamed)
    wide = sum(ord(each) > 0x7F for each in text)
    return [
        (
            "streamed characters, one token a byte",
            f"{count:,} in {len(streamed)} answers, {wide:,} of them beyond ASCII",
            "",
        ),
        ("of them U+FFFD", text.count("\ufffd"), "0"),
        (
            "answers equal to the one that is no stream",
            f"{sum(map(str.__eq__, streamed, whole))} of {len(whole)}",
            "all",
        ),
    ]


def _tiny(folder: Path, home: Path) -> None:
    from glassworks.catalog import get
    from glassworks.config import Job, OptimizationConfig
    from glassworks.contracts import Family
    from glassworks.families._language.synthetic import write_model
    from glassworks.families.language_model.settings import LanguageData
    from glassworks.flow import release
    from glassworks.progress import Silent
    from glassworks.registry import Registry

    write_model(folder / "model", seed=0, context=4096)
    job = Job(
        name="bytes",
        family=get(Family, "language_model").name,
        data=LanguageData(measured_bytes=512),
        model={"source": f"folder:{folder / 'model'}", "streams": CHOICES},
        optimization=OptimizationConfig(enabled=False),
    )
    release(job, Registry.open({"GLASSWORKS_HOME": str(home)}), Silent())


def _written(seed: int) -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[\u4e00-\u9fff\U0001f300-\U0001f64f]{900}$"}
    form = {"type": "json_schema", "json_schema": {"name": "written", "schema": schema}}
    message = [{"role": "user", "content": "\u5199"}]
    common = {"model": "bytes", "messages": message, "temperature": 1, "seed": seed, "max_tokens": 3900}
    return {**common, "response_format": form}
