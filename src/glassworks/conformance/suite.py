"""Finds the checks, runs them against a server, and tells what came out."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal
from xml.etree import ElementTree

from glassworks.conformance import checks
from glassworks.conformance.http2 import SETTINGS, Link
from glassworks.conformance.target import Failed, NotOffered, Target
from glassworks.errors import GlassworksError, InputError, ServingError, Unauthenticated

_NAME = re.compile(r"([co]\d+)_(\w+)")
Result = Literal["passed", "failed", "not offered"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold; `expects` says it in a sentence."""

    id: str
    expects: str
    area: str
    run: Callable[[Any], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check found; `seen` is empty where all is well."""

    id: str
    area: str
    expects: str
    result: Result
    seen: str
    seconds: float


def found(package: ModuleType = checks) -> list[Check]:
    """All checks of a package, in the order of their numbers; without one those of the Open Inference Protocol."""
    listed = [each for module in pkgutil.iter_modules(package.__path__) for each in _of(package, module.name)]
    return sorted(listed, key=lambda check: (int(check.id.partition(".")[0][1:]), check.area))


def reach(target: Target) -> None:
    """Look whether the checks can be asked at all: HTTP and gRPC answer, and the key, where one is needed, is taken.

    Raises ServingError, Unauthenticated and InputError.
    """
    try:
        target.send("GET", "/v2")
        asked = target.send("GET", target.path) if target.name else target.send("POST", "/v2/repository/index", b"")
    except Failed as failed:
        raise ServingError(f"{target.url} does not answer: {failed}", "start the server, and give its URL") from None
    if asked.status == 401:
        if target.key:
            raise Unauthenticated("the server does not take the key", "give one that it knows: --key KEY")
        raise Unauthenticated("the server asks for a key", "give one: --key KEY, or GLASSWORKS_KEY")
    if target.grpc is not None:
        _reach_grpc(target, target.grpc)


def _reach_grpc(target: Target, address: str) -> None:
    if not address.rpartition(":")[2].isdecimal():
        raise InputError(f"'{address[:200]}' is no address of gRPC", "give one such as 127.0.0.1:8081")
    try:
        with Link(target) as link:
            seen = link.greet().until(lambda seen: bool(seen.frames))
    except Failed as failed:
        reason = str(failed)
    else:
        if seen.frames and seen.frames[0][0] == SETTINGS:
            return
        reason = "what is there does not speak HTTP/2 without TLS"
    raise ServingError(f"nothing answers gRPC at {address}: {reason}", "give HOST:PORT of the server's gRPC: --grpc")


def run(target: Target, selected: Sequence[Check] | None = None) -> Iterator[Outcome]:
    """Run the checks, all without a selection, in turn; one that fails in an unforeseen way has failed."""
    for check in found() if selected is None else selected:
        start, result, seen = time.perf_counter(), "passed", ""
        try:
            check.run(target)
        except NotOffered as missing:
            result, seen = "not offered", str(missing)
        except Failed as failed:
            result, seen = "failed", str(failed)
        except (GlassworksError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            result, seen = "failed", f"the answer cannot be understood: {type(error).__name__} {error}"
        yield Outcome(
            id=check.id,
            area=check.area,
            expects=check.expects,
            result=_result(result),
            seen=seen[:500],
            seconds=round(time.perf_counter() - start, 4),
        )


def summary(target: Target, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        "url": target.url,
        "grpc": target.grpc,
        "model": target.asked,
        "checks": [vars(outcome) for outcome in outcomes],
        "totals": totals(outcomes),
    }


def totals(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """How many checks came out how."""
    return {result: sum(each.result == result for each in outcomes) for result in ("passed", "failed", "not offered")}


def lines(target: Target, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """For people: a line a group, then what failed, and what is not offered by its reason; last how many in all."""
    yield f"conformance of {target.url}, model {target.asked or 'none'}"
    for group, members in _grouped(outcomes, lambda each: each.id.partition(".")[0]).items():
        yield f"  {group:<4} {_counted(members)}"
    failed = [each for each in outcomes if each.result == "failed"]
    yield from ["failed"] if failed else []
    for each in failed:
        yield from (f"  {each.id}", f"    expected: {each.expects}", f"    seen: {_printable(each.seen)}")
    missing = _grouped([each for each in outcomes if each.result == "not offered"], lambda each: each.seen)
    yield from ["not offered"] if missing else []
    for reason, members in missing.items():
        yield from (f"  {_printable(reason)}", f"    {', '.join(each.id for each in members)}")
    yield ", ".join(f"{count} {result}" for result, count in totals(outcomes).items())


def _grouped(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        found.setdefault(key(each), []).append(each)
    return found


def _counted(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(f"{count} {result}" for result, count in totals(outcomes).items() if count)


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """All of it as JUnit XML, which continuous integration reads."""
    counted = totals(outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name="glassworks conformance",
        tests=str(len(outcomes)),
        failures=str(counted["failed"]),
        skipped=str(counted["not offered"]),
    )
    for outcome in outcomes:
        case = ElementTree.SubElement(
            suite, "testcase", classname=outcome.area, name=outcome.id, time=f"{outcome.seconds:.4f}"
        )
        if outcome.result != "passed":
            kind = "failure" if outcome.result == "failed" else "skipped"
            reason = ElementTree.SubElement(case, kind, message=_printable(outcome.seen))
            reason.text = _printable(f"expected: {outcome.expects}")
    content: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content


def _of(package: ModuleType, area: str) -> Iterator[Check]:
    module = importlib.import_module(f"{package.__name__}.{area}")
    for name, value in vars(module).items():
        match = _NAME.fullmatch(name)
        if match is not None and callable(value):
            expects = " ".join((value.__doc__ or "").split())
            yield Check(id=f"{match[1].upper()}.{match[2]}", expects=expects, area=area, run=value)
    for case in getattr(module, "CASES", ()):
        yield Check(id=f"{case.group}.{case.name}", expects=case.expects, area=area, run=case)


def _result(text: str) -> Result:
    return "passed" if text == "passed" else "failed" if text == "failed" else "not offered"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
