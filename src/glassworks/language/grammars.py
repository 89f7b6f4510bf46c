"""Grammars are compiled elsewhere before the engine gets them: one that it cannot compile ends it for everybody."""

from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

from glassworks.errors import InputError, Overloaded

LIMIT_S = 10.0
_OPENING_S = 120.0
"""Until the process can compile, beside others that compute."""
_KEPT = 1024
_MEND = "simplify the schema: fewer alternatives, shorter repeats"


class Grammars:
    """Verdicts of one model's grammars. Thread-safe; the process begins with the first and is started again where it
    had to be ended.
    """

    def __init__(self, model: Path, limit_s: float = LIMIT_S) -> None:
        self._model, self._limit_s = model, limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._verdicts: OrderedDict[bytes, str] = OrderedDict()
        """Words of the compiler by the hash of a grammar; empty where it can be used."""

    def check(self, grammar: str) -> None:
        """Raises InputError, with the compiler's words, for one that cannot be compiled in time."""
        key = hashlib.sha256(grammar.encode()).digest()
        with self._lock:
            if key not in self._verdicts:
                self._verdicts[key] = self._compiled(grammar)
                while len(self._verdicts) > _KEPT:
                    self._verdicts.popitem(last=False)
            self._verdicts.move_to_end(key)
            words = self._verdicts[key]
        if words:
            raise InputError(f"the answer's form cannot be compiled: {words[:2000]}", _MEND)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _compiled(self, grammar: str) -> str:
        if self._process is None:
            self._process = self._started()
        words = self._asked(self._process, grammar, self._limit_s)
        if words is None:
            self._end()
            return f"it took more than {self._limit_s:g} s, or ended the compiler"
        if words:
            self._end()
        return words

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "glassworks.language.grammar_process", str(self._model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            process_group=0,
        )
        self._process = process
        if self._asked(process, 'root ::= "a"', _OPENING_S) != "":
            self._end()
            raise Overloaded("the process that compiles forms of answers did not start", "send the request again")
        return process

    def _asked(self, process: subprocess.Popen[bytes], grammar: str, limit_s: float) -> str | None:
        """The answer; None where none comes."""
        if process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(json.dumps(grammar).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return None
        ready, _, _ = select.select([process.stdout], [], [], limit_s)
        line = process.stdout.readline() if ready else b""
        return str(json.loads(line)) if line else None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
