"""A server that claims OpenAI's API: raw HTTP, a model to ask, and what its own greedy answer is."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from glassworks.conformance.openai.answers import Answer, Stream, events_of
from glassworks.conformance.target import Failed, NotOffered, Reply, Target
from glassworks.errors import ServingError, Unauthenticated

REFUSALS = (400, 404, 405, 422, 501)
"""Statuses by which a server says that it lacks something, where the answer names what."""
LENGTH = 24
"""Tokens of an answer, where nothing else is asked."""
PROMPTS = ("Count: one, two, three, four,", "The sea is", "Name ten animals.", "abc abc abc")
_MODELS = 8
_ENOUGH = 12

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Client(Target):
    """Where the server is, and how to ask it. The path of the URL comes before all paths; without one it is /v1."""

    seconds: float = 60.0
    grace: float = 3.0
    """Seconds that an answer may be late before it counts as one that does not come."""
    clock: Callable[[], float] = time.perf_counter

    @property
    def prefix(self) -> str:
        """What all paths of the API begin with."""
        return urlsplit(self.url).path.rstrip("/") or "/v1"

    def reach(self) -> None:
        """Look whether the checks can be asked at all. Raises ServingError and Unauthenticated."""
        try:
            reply = self.send("GET", f"{self.prefix}/models")
        except Failed as failed:
            raise ServingError(f"{self.url} does not answer: {failed}", "start the server, and give its URL") from None
        if reply.status == 401:
            seen = "the server does not take the key" if self.key else "the server asks for a key"
            raise Unauthenticated(seen, "give one that it knows: --key KEY, or GLASSWORKS_KEY")
        if reply.status != 200:
            raise ServingError(
                f"{self.prefix}/models answers with status {reply.status}, so this is no server of OpenAI's API",
                "give the URL under which it lies, such as http://127.0.0.1:8080/v1",
            )

    def ask(self, path: str, body: object, verb: str = "POST", **headers: str) -> Reply:
        """A request with a body of JSON, below the prefix."""
        given = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.send(verb, self.prefix + path, json.dumps(body).encode(), given)

    def fetch(self, path: str, verb: str = "GET") -> Reply:
        """A request without a body, below the prefix."""
        return self.send(verb, self.prefix + path)

    @property
    def models(self) -> list[str]:
        """The ids of all models that are listed. Raises Failed."""
        return [each["id"] for each in self.fetch("/models").expect(200).json["data"]]

    @property
    def model(self) -> str:
        """The model that is asked: the first listed that answers chat, or completions. Raises NotOffered."""
        if self.name:
            return self.name
        return self.remembered("model", self._first)

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """What was found out once."""
        if name not in self._state:
            self._state[name] = make()
        found: T = self._state[name]
        return found

    def body(self, path: str, **more: Any) -> dict[str, Any]:
        """A request for a short greedy answer; `...` takes a field away."""
        asked = {"prompt": PROMPTS[0]} if path == "/completions" else {"messages": said(PROMPTS[0])}
        given = {"model": self.model, **asked, "temperature": 0, "max_tokens": LENGTH, **more}
        return {name: value for name, value in given.items() if value is not ...}

    def chat(self, **more: Any) -> Answer:
        """A whole answer of chat; the prompt is the one whose greedy answer is long. Raises Failed, NotOffered."""
        more.setdefault("messages", said(self.prompt))
        return Answer(self._offering("/chat/completions", more))

    def complete(self, **more: Any) -> Answer:
        """A whole answer of completions. Raises Failed and NotOffered."""
        return Answer(self._offering("/completions", more))

    def stream(self, path: str = "/chat/completions", **more: Any) -> Stream:
        """A whole stream. Raises Failed and NotOffered."""
        if path == "/chat/completions":
            more.setdefault("messages", said(self.prompt))
        self._offers(path)
        return self.streamed(path, self.body(path, stream=True, **more))

    def streamed(self, path: str, body: object) -> Stream:
        """A whole stream of any request. Raises Failed."""
        with self.opened(path, body) as (response, started):
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.status != 200:
                Reply(response.status, headers, response.read()).expect(200)
            lines, left = list[tuple[bytes, float]](), b""
            while content := response.read1(65_536):
                at = self.clock() - started
                *whole, left = (left + content).replace(b"\r\n", b"\n").split(b"\n")
                lines += [(line, at) for line in whole]
            return Stream(headers, events_of([*lines, *([(left, 0.0)] if left else [])]), self.clock() - started)

    @contextlib.contextmanager
    def opened(self, path: str, body: object) -> Iterator[tuple[http.client.HTTPResponse, float]]:
        """The head of an answer, and when it was asked for; the connection is closed behind it. Raises Failed."""
        connection, started = self.sent(path, body)
        try:
            yield connection.getresponse(), started
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"the answer broke off: {type(error).__name__} {error}") from None
        finally:
            connection.close()

    def sent(self, path: str, body: object) -> tuple[http.client.HTTPConnection, float]:
        """A connection on which a request was sent, and when. Raises Failed."""
        connection, started = self._connection(), self.clock()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        try:
            connection.request("POST", self.prefix + path, json.dumps(body).encode(), headers)
        except OSError as error:
            raise Failed(f"no answer: {type(error).__name__} {error}") from None
        return connection, started

    def hang_up(self, path: str, body: object, wait_s: float | None = None) -> int:
        """Leave: after that time without a look at the answer, or else after its first part. Gives the status, 0 if
        it was not looked at. Raises Failed."""
        connection, _ = self.sent(path, body)
        try:
            if wait_s is not None:
                time.sleep(wait_s)
                return 0
            response = connection.getresponse()
            response.read1(65_536)
            response.close()
            return response.status
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"the answer broke off: {type(error).__name__} {error}") from None
        finally:
            connection.close()

    @property
    def prompt(self) -> str:
        """A prompt whose greedy answer is long enough to see something of it, where there is one."""
        return self.remembered("greedy", self._longest)[0]

    @property
    def greedy(self) -> Answer:
        """The greedy answer to that prompt, `LENGTH` tokens at most. Raises Failed and NotOffered."""
        return self.remembered("greedy", self._longest)[1]

    def long_greedy(self, tokens: int, characters: int = 1) -> Answer:
        """That answer, where it has as many tokens and characters. Raises NotOffered."""
        if self.greedy.tokens < tokens or len(self.greedy.text) < characters:
            raise NotOffered("the model ends its answers too early to cut them; name another with --model")
        return self.greedy

    def require_chat(self) -> None:
        """Go on where the model answers chat. Raises NotOffered."""
        self._offers("/chat/completions")

    def token_ids(self, text: str) -> list[int]:
        """The server's own tokens of a text, without special ones. Raises NotOffered."""
        root = self.prefix.removesuffix("/v1")
        asked = {"model": self.model, "prompt": text, "content": text, "add_special_tokens": False}
        for body in (asked, {**asked, "content": ...}, {"content": text}):
            kept = {name: value for name, value in body.items() if value is not ...}
            reply = self.send(
                "POST", f"{root}/tokenize", json.dumps(kept).encode(), {"Content-Type": "application/json"}
            )
            if reply.status == 200 and isinstance(reply.json, dict) and "tokens" in reply.json:
                return [each["id"] if isinstance(each, dict) else int(each) for each in reply.json["tokens"]]
        raise NotOffered("the server has no /tokenize")

    def _greedy(self, text: str) -> Answer:
        return Answer(self._offering("/chat/completions", {"messages": said(text)}))

    def _offering(self, path: str, more: Mapping[str, Any]) -> Any:
        self._offers(path)
        return self.ask(path, self.body(path, **more)).expect(200).json

    def _offers(self, path: str) -> None:
        """Go on where the model answers there. Raises NotOffered."""
        if reason := self.remembered(path, lambda: self._lacks(path)):
            raise NotOffered(reason)

    def _lacks(self, path: str) -> str:
        reply = self.ask(path, self.body(path, max_tokens=1))
        return lacks(reply, path, "template", "not found", "chat", "completion", "does not support")

    def _longest(self) -> tuple[str, Answer]:
        found = {text: self._greedy(text) for text in PROMPTS[:1]}
        if _fit(found[PROMPTS[0]]) < _ENOUGH:
            found |= {text: self._greedy(text) for text in PROMPTS[1:]}
        prompt = max(found, key=lambda text: _fit(found[text]))
        return prompt, found[prompt]

    def _first(self) -> str:
        listed = self.models[:_MODELS]
        if not listed:
            raise NotOffered("the server lists no model; name one with --model")
        tries = [(path, name) for path in ("/chat/completions", "/completions") for name in listed]
        return next((name for path, name in tries if self._answers(path, name)), listed[0])

    def _answers(self, path: str, model: str) -> bool:
        asked = {"prompt": "a"} if path == "/completions" else {"messages": said("a")}
        return self.ask(path, {"model": model, "max_tokens": 1, **asked}).status == 200


def said(text: str) -> list[dict[str, Any]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def message_of(reply: Reply) -> str:
    """What an error says, whatever its shape."""
    with contextlib.suppress(Failed, AttributeError):
        error = reply.json.get("error", reply.json)
        return str(error.get("message") or error.get("detail") or error) if isinstance(error, dict) else str(error)
    return reply.body[:200].decode(errors="replace")


def lacks(reply: Reply, feature: str, *words: str) -> str:
    """Why something is not offered, where the answer refuses it and names it by one of the words; else nothing."""
    message = message_of(reply)
    if reply.status in REFUSALS and (reply.status == 405 or any(word in message.lower() for word in words)):
        return f"{feature}: {reply.status}, {message[:160]}"
    return ""


def optional(reply: Reply, feature: str, *words: str) -> Reply:
    """An answer with status 200. Raises NotOffered where it is refused by name, and Failed else."""
    if reason := lacks(reply, feature, *(words or (feature,))):
        raise NotOffered(reason)
    return reply.expect(200)


def refused(reply: Reply, *statuses: int, names: Sequence[str] = ()) -> Reply:
    """An answer that refuses with an error that has a message, which holds one of the names. Raises Failed."""
    reply.expect(*(statuses or (400,)))
    error = reply.json.get("error") if isinstance(reply.json, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error["message"]:
        raise Failed(f'the error is not {{"error": {{"message": string}}}}: {reply.body[:120]!r}')
    if names and not any(name in f"{error['message']} {error.get('param')} {error.get('code')}" for name in names):
        raise Failed(f"the error does not name {' or '.join(names)}: {error['message'][:160]!r}")
    return reply


def same(seen: object, expected: object, what: str) -> None:
    """Raise Failed where two things differ that must not."""
    if seen != expected:
        raise Failed(f"{what}: {str(seen)[:160]!r} instead of {str(expected)[:160]!r}")


def together(*calls: Callable[[], T]) -> list[T]:
    """What the calls give, all made at once. Raises what the first raises."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


def model_path(name: str) -> str:
    """The path of a model."""
    return f"/models/{quote(name, safe='')}"


def _fit(answer: Answer) -> int:
    return min(answer.tokens, len(answer.text.replace("\ufffd", "")))
