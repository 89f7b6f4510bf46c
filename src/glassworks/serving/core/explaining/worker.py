"""The process that explains: reads rows from its standard input, and ends with whoever writes them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO

from glassworks.contracts import Feedback
from glassworks.errors import GlassworksError, Tampered
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.core.explaining import messages
from glassworks.serving.core.explaining.rows import explain_row
from glassworks.serving.core.worker import step_back

_LEAST = 19
"""The lowest priority where the system knows no policy for what is to run only when nothing else does."""
Questions = queue.SimpleQueue[messages.Explain | messages.LetGo]
Answer = messages.Explained | messages.Refused | messages.Broken


class Bundles:
    """Bundles by folder and SHA-256, opened when they are first asked for."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], OpenedBundle] = {}

    def opened(self, folder: str, sha256: str, memory: str = "") -> OpenedBundle:
        """The bundle with every file checked, and what people told the model. Raises Tampered where another one lies
        there now."""
        if (folder, sha256) not in self._opened:
            bundle = read_bundle(Path(folder))
            if bundle.sha256 != sha256:
                raise Tampered(
                    f"{folder}: another bundle lies here than the one that is served",
                    "load the model again to serve what lies here",
                )
            self._opened[folder, sha256] = OpenedBundle(bundle)
            _remember(self._opened[folder, sha256], memory)
        return self._opened[folder, sha256]

    def let_go(self, folder: str, sha256: str) -> None:
        """Close a bundle, where it is open."""
        opened = self._opened.pop((folder, sha256), None)
        if opened is not None:
            opened.close()
            if opened.memory is not None:
                opened.memory.close()


def _remember(opened: OpenedBundle, file: str) -> None:
    if file and isinstance(opened.task, Feedback):
        opened.remember(opened.task.memory(Path(file)))


def main() -> None:
    """Answer until the questions end."""
    # The server decides when this ends: what is in flight when it is told to stop is still answered.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    questions: Questions = queue.SimpleQueue()
    threading.Thread(target=_read, args=(os.fdopen(0, "rb"), questions), daemon=True).start()
    # From here on: loading what is above and reading are short, and at the lowest priority could last for long.
    step_back()
    if sys.platform != "linux" and hasattr(os, "nice"):
        os.nice(_LEAST)
    bundles = Bundles()
    # A server that went away needs no answer.
    with contextlib.suppress(BrokenPipeError):
        while True:
            asked = questions.get()
            if isinstance(asked, messages.LetGo):
                bundles.let_go(asked.folder, asked.sha256)
            else:
                messages.send(answers, _answered(bundles, asked))


def _answered(bundles: Bundles, asked: messages.Explain) -> Answer:
    try:
        opened = bundles.opened(asked.folder, asked.sha256, asked.memory)
        return messages.explained(explain_row(opened, asked.example, asked.options))
    except GlassworksError as error:
        return messages.refused(error)
    except Exception:  # noqa: BLE001 - engines raise many classes; the server logs what it was
        return messages.Broken(traceback.format_exc())


def _read(pipe: IO[bytes], questions: Questions) -> None:
    """Read ahead, so that the end is seen in the middle of a long explanation too, and end the process with it."""
    try:
        while True:
            questions.put(messages.question(pipe))
    except EOFError:
        os._exit(0)
    except Exception:  # noqa: BLE001 - without a reader nothing is answered any longer, whatever it was
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
