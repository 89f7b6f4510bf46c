"""The rules that hold the tree together, each shown to fail on a planted violation."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.allowed_imports import BASE, EDGES
from tests.retired_words import NOT_OURS, RETIRED

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "glassworks"
RATCHET = Path(__file__).with_name("ratchet.json")

CATCH_ALL = {"utils", "util", "helpers", "helper", "common", "misc"}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
MODULE_LINES, FUNCTION_LINES = 400, 60
LONG_MODULE_LINES, LONG_FUNCTION_LINES = 300, 30


@dataclass(frozen=True)
class Module:
    """A parsed source file; `path` is relative to the package, `name` is its dotted name in it."""

    path: Path
    lines: int
    tree: ast.Module

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def walk(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)


Checker = Callable[[Module], Iterator[str]]


def modules(root: Path) -> list[Module]:
    """Every Python file under `root`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path.relative_to(root), len(text.splitlines()), ast.parse(text)))
    return found


def violations(checker: Checker, root: Path) -> list[str]:
    """What `checker` says about the files under `root`, each with its place."""
    return [f"{module.path}: {fault}" for module in modules(root) for fault in checker(module)]


def imports_allowed(module: Module) -> Iterator[str]:
    part = module.name.partition(".")[0]
    if part not in EDGES:
        yield f"the part '{part}' has no place in EDGES"
        return
    allowed = EDGES[part] | (BASE if part not in BASE else frozenset())
    for line, target, _ in _imports(module):
        other = target.partition(".")[0]
        if other != part and other in EDGES and other not in allowed:
            yield f"line {line}: '{part}' imports '{other or 'glassworks'}', which the table does not allow"


def families_and_runtimes_apart(module: Module) -> Iterator[str]:
    part, _, rest = module.name.partition(".")
    family = rest.partition(".")[0]
    for line, target, _ in _imports(module):
        other, _, other_rest = target.partition(".")
        other_family = other_rest.partition(".")[0]
        if other != "families" or not other_family:
            continue
        if part == "runtimes":
            yield f"line {line}: a runtime imports the family '{other_family}'"
        if part == "families" and other_family != family and not other_family.startswith("_"):
            yield f"line {line}: the family '{family}' imports the family '{other_family}'"


def no_catch_all_name(module: Module) -> Iterator[str]:
    yield from (f"'{name}' says nothing" for name in module.name.split(".") if name.lstrip("_") in CATCH_ALL)


def a_module_says_what_it_is_for(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "no docstring"


def sizes_are_bounded(module: Module) -> Iterator[str]:
    if module.lines > MODULE_LINES:
        yield f"{module.lines} lines, {MODULE_LINES} are allowed"
    for name, lines in _functions(module):
        if lines > FUNCTION_LINES:
            yield f"{name} has {lines} lines, {FUNCTION_LINES} are allowed"


def nothing_runs_on_reading(module: Module) -> Iterator[str]:
    """No pickle in any form: reading a file must never run code from it."""
    for line, target, _ in _imports(module, package=""):
        if target.partition(".")[0] in UNSAFE_MODULES:
            yield f"line {line}: imports {target}"
    for call in _calls(module):
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if ast.unparse(call.func) == "torch.load" and keywords.get("weights_only") != "True":
            yield f"line {call.lineno}: torch.load without weights_only=True"
        if keywords.get("allow_pickle", "False") != "False":
            yield f"line {call.lineno}: allow_pickle"


def no_print(module: Module) -> Iterator[str]:
    if not module.name.startswith("cli"):
        yield from (f"line {call.lineno}: print" for call in _calls(module) if ast.unparse(call.func) == "print")


def nothing_unfinished_or_asserted(module: Module) -> Iterator[str]:
    for node in module.walk():
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: assert disappears under -O; raise an error with its mend"
        if isinstance(node, ast.Raise) and node.exc and "NotImplementedError" in ast.unparse(node.exc):
            yield f"line {node.lineno}: NotImplementedError"


def usearch_comes_after_onnxruntime(module: Module) -> Iterator[str]:
    """The other order ends the process: see recommendation/nearest.py."""
    seen = False
    for line, target, typing_only in _imports(module, package=""):
        seen = seen or target == "onnxruntime"
        if target.partition(".")[0] == "usearch" and not typing_only and not seen:
            yield f"line {line}: usearch is loaded, and not onnxruntime before it"


WAITING = {
    *("run", "communicate", "wait", "wait_for", "timeout", "join", "result", "acquire", "check_output", "check_call"),
    *("urlopen", "create_connection", "settimeout", "HTTPConnection", "HTTPSConnection", "recv", "get", "post"),
}


def waits_with_patience(module: Module) -> Iterator[str]:
    """Limits that only end a hang are the one in tests/patience.py: beside other work everything takes long.

    Not where attacks are given their time.
    """
    if module.name.startswith("hostile"):
        return
    named = {
        target.id: node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in _calls(module):
        if ast.unparse(call.func).rpartition(".")[2] not in WAITING:
            continue
        limits = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        limits += (
            call.args if isinstance(call.func, ast.Attribute) and call.func.attr not in ("run", "get", "recv") else []
        )
        for asked in limits:
            limit = named.get(asked.id) if isinstance(asked, ast.Name) else asked
            if isinstance(limit, ast.Constant) and isinstance(limit.value, int | float) and 1 < limit.value < 1000:
                yield f"line {call.lineno}: waits for {limit.value} s, and not for PATIENCE_S"


def names_in_the_fields_words(module: Module) -> Iterator[str]:
    """Names hold no word that docs/glossary.md replaced; names of other libraries keep theirs."""
    for node in module.walk():
        for key in ("id", "arg", "attr", "name"):
            name = getattr(node, key, None)
            if isinstance(name, str) and name not in NOT_OURS and (found := RETIRED.intersection(_words(name))):
                yield f"line {getattr(node, 'lineno', 0)}: '{name}' has the retired word '{min(found)}'"


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


RULES: tuple[Checker, ...] = (
    imports_allowed,
    families_and_runtimes_apart,
    no_catch_all_name,
    a_module_says_what_it_is_for,
    sizes_are_bounded,
    nothing_runs_on_reading,
    no_print,
    nothing_unfinished_or_asserted,
    usearch_comes_after_onnxruntime,
    names_in_the_fields_words,
)
OUTSIDE: tuple[tuple[Checker, str], ...] = (
    *((sizes_are_bounded, folder) for folder in ("tests", "benchmarks", "docs")),
    (waits_with_patience, "tests"),
)
"""What holds outside the package."""

PLANTED: tuple[tuple[Checker, str, str, str], ...] = (
    (imports_allowed, "data/x.py", "from glassworks.serving import engine", "'data' imports 'serving'"),
    (imports_allowed, "data/x.py", "def f():\n    import glassworks.flow", "'data' imports 'flow'"),
    (imports_allowed, "data/x.py", "from glassworks import flow", "'data' imports 'flow'"),
    (imports_allowed, "data/x.py", "from ..tasks import a", "'data' imports 'tasks'"),
    (imports_allowed, "data/x.py", "from glassworks import up", "'data' imports 'glassworks'"),
    (
        imports_allowed,
        "errors.py",
        "if TYPE_CHECKING:\n    from glassworks.config import Job",
        "'errors' imports 'config'",
    ),
    (imports_allowed, "serving/x.py", "def f():\n    from glassworks.training import loop", "imports 'training'"),
    (imports_allowed, "registry/x.py", "from glassworks.families.convnet import a", "imports 'families'"),
    (imports_allowed, "novelty.py", "", "no place in EDGES"),
    (families_and_runtimes_apart, "families/a/f.py", "from glassworks.families.b import B", "imports the family 'b'"),
    (families_and_runtimes_apart, "families/a/f.py", "from glassworks.families import b", "imports the family 'b'"),
    (
        families_and_runtimes_apart,
        "runtimes/r.py",
        "import glassworks.families.a.f",
        "a runtime imports the family 'a'",
    ),
    (no_catch_all_name, "data/utils.py", "", "'utils' says nothing"),
    (no_catch_all_name, "common/x.py", "", "'common' says nothing"),
    (a_module_says_what_it_is_for, "data/x.py", "A = 1", "no docstring"),
    (sizes_are_bounded, "data/x.py", "\n" * 401, "401 lines"),
    (sizes_are_bounded, "data/x.py", "def f():\n" + "    a = 1\n" * 60, "f has 61 lines"),
    (nothing_runs_on_reading, "data/x.py", "import pickle", "imports pickle"),
    (nothing_runs_on_reading, "data/x.py", "def f():\n    from joblib import load", "imports joblib"),
    (nothing_runs_on_reading, "data/x.py", "torch.load(p)", "weights_only"),
    (nothing_runs_on_reading, "data/x.py", "torch.load(p, weights_only=False)", "weights_only"),
    (nothing_runs_on_reading, "data/x.py", "np.load(p, allow_pickle=True)", "allow_pickle"),
    (no_print, "data/x.py", "print(1)", "print"),
    (nothing_unfinished_or_asserted, "data/x.py", "assert x", "assert"),
    (nothing_unfinished_or_asserted, "data/x.py", "raise NotImplementedError", "NotImplementedError"),
    (waits_with_patience, "test_x.py", "process.wait(20)", "waits for 20 s"),
    (waits_with_patience, "test_x.py", "subprocess.run(['a'], timeout=60)", "waits for 60 s"),
    (waits_with_patience, "test_x.py", "WAIT_S = 60\nprocess.wait(WAIT_S)", "waits for 60 s"),
    (names_in_the_fields_words, "serving/x.py", "class FrontDesk: ...", "the retired word 'desk'"),
    (names_in_the_fields_words, "data/x.py", "held_out = 1", "the retired word 'held'"),
    (usearch_comes_after_onnxruntime, "tasks/x.py", "from usearch.index import Index", "not onnxruntime before it"),
)

ALLOWED: tuple[tuple[Checker, str, str], ...] = (
    (imports_allowed, "contracts.py", "if TYPE_CHECKING:\n    from glassworks.config import Job"),
    (imports_allowed, "cli/up.py", "from glassworks import flow, train\nfrom . import text\nfrom ..errors import X"),
    (families_and_runtimes_apart, "families/a/f.py", "from glassworks.families.a.net import Net\nfrom . import net"),
    (families_and_runtimes_apart, "families/a/f.py", "from glassworks.families._text.training import TextTraining"),
    (nothing_runs_on_reading, "data/x.py", "torch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)"),
    (no_print, "cli/up.py", "print(1)"),
    (waits_with_patience, "test_x.py", "process.wait(PATIENCE_S)\nprocess.wait(0.05)\nsocket.recv(1000)"),
    (waits_with_patience, "hostile/x.py", "process.wait(20)"),
    (names_in_the_fields_words, "data/x.py", "replaced = WordPiece.backend(foretold)"),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule: Checker) -> None:
    assert violations(rule, SOURCE) == []


@pytest.mark.parametrize(("rule", "folder"), OUTSIDE)
def test_outside_the_package_too_the_tree_keeps(rule: Checker, folder: str) -> None:
    assert violations(rule, ROOT / folder) == []


@pytest.mark.parametrize(("rule", "file", "text", "expected"), PLANTED)
def test_a_planted_violation_is_told(rule: Checker, file: str, text: str, expected: str, tmp_path: Path) -> None:
    _plant(tmp_path, file, text)
    (told,) = violations(rule, tmp_path)
    assert told.startswith(f"{file}: ")
    assert expected in told


@pytest.mark.parametrize(("rule", "file", "text"), ALLOWED)
def test_what_is_allowed_is_not_told(rule: Checker, file: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, file, text)
    assert violations(rule, tmp_path) == []


def test_every_rule_was_seen_to_fail() -> None:
    assert {rule for rule, *_ in PLANTED} == {*RULES, *(rule for rule, _ in OUTSIDE)}


def long_counts(root: Path) -> dict[str, int]:
    """How many functions and modules are longer than we like."""
    everything = modules(root)
    return {
        "functions_over_30_lines": sum(
            lines > LONG_FUNCTION_LINES for module in everything for _, lines in _functions(module)
        ),
        "modules_over_300_lines": sum(module.lines > LONG_MODULE_LINES for module in everything),
    }


def ratchet_faults(now: Mapping[str, int], recorded: Mapping[str, int]) -> list[str]:
    """The recorded counts may only go down, and are lowered as soon as they can be."""
    faults = []
    for key in sorted(now.keys() | recorded.keys()):
        count, limit = now.get(key, 0), recorded.get(key, 0)
        if count > limit:
            faults.append(f"{key}: {count}, the limit is {limit}: shorten what you added")
        if count < limit:
            faults.append(f"{key}: {count}, better than {limit}: lower it to {count} in {RATCHET.name}")
    return faults


def test_long_functions_and_modules_only_become_fewer() -> None:
    assert ratchet_faults(long_counts(SOURCE), json.loads(RATCHET.read_text(encoding="utf-8"))) == []


def test_the_ratchet_turns_one_way(tmp_path: Path) -> None:
    _plant(tmp_path, "data/x.py", "def f():\n" + "    a = 1\n" * 30 + "def g():\n" + "    a = 1\n" * 29)
    _plant(tmp_path, "data/y.py", "\n" * 301)
    now = long_counts(tmp_path)
    assert now == {"functions_over_30_lines": 1, "modules_over_300_lines": 1}
    assert ratchet_faults(now, now) == []
    assert "the limit is 0: shorten" in ratchet_faults(now, {**now, "functions_over_30_lines": 0})[0]
    assert "lower it to 1" in ratchet_faults(now, {**now, "modules_over_300_lines": 2})[0]


def _plant(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in module.walk() if isinstance(node, ast.Call))


def _functions(module: Module) -> Iterator[tuple[str, int]]:
    for node in module.walk():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _imports(module: Module, package: str = "glassworks") -> Iterator[tuple[int, str, bool]]:
    """(line, target inside `package`, for typing only); with no package, every absolute target."""
    typing_only = {
        id(inner)
        for node in module.walk()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in module.walk():
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in _targets(module, node):
                if not package:
                    yield node.lineno, target, id(node) in typing_only
                elif target.partition(".")[0] == package:
                    yield node.lineno, target.partition(".")[2], id(node) in typing_only


def _targets(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        folder = ("glassworks", *module.path.parts[:-1])
        base = ".".join([*folder[: len(folder) - node.level + 1], *([base] if base else [])])
    # `from glassworks import flow` imports a part, `from glassworks import up` a public verb of the root.
    for alias in node.names:
        named_part = base in ("glassworks", "glassworks.families") and (base != "glassworks" or alias.name in EDGES)
        yield f"{base}.{alias.name}" if named_part else base
