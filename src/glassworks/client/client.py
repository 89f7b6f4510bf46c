"""The client: every method of the API, and the ways through several of them that people go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from glassworks.client.methods import Methods
from glassworks.client.transport import ServerEvent
from glassworks.errors import InputError, TrainingError

if TYPE_CHECKING:
    from glassworks.control.resources.data import DataItem
    from glassworks.runs import Run

_ENDED = ("succeeded", "failed", "cancelled")


class Client(Methods):
    """Asks a service for runs, data, models, deployments, keys and usage.

        with glassworks.Client("http://127.0.0.1:8080", key=...) as client:
            run = client.submit_run(kind="train", request={"job": {...}})
            print(client.wait(run.id).result["model"])

    Everything raises what the service answers, as the exceptions of `glassworks.errors`. An argument that is None is
    left out.
    """

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def wait(self, run: str, on_event: Callable[[ServerEvent], object] = lambda event: None) -> Run:
        """Until a run has ended; `on_event` gets what happens meanwhile. Raises TrainingError for one that failed."""
        for event in self.stream_run(run):
            on_event(event)
            if event.kind == "state" and event.data["data"]["state"] in _ENDED:
                break
        ended = self.get_run(run)
        if ended.state == "failed" and ended.error is not None:
            raise TrainingError(ended.error.problem, ended.error.mend)
        return ended

    def upload(self, path: str | Path, kind: Literal["pictures", "texts", "interactions"] | None = None) -> DataItem:
        """Send a file in parts: a zip of class folders of pictures, a table or a text. Jobs name it by its `source`.

        Raises InputError for a file that cannot be read.
        """
        path = Path(path)
        with _readable(path) as file:
            begun = self.begin_upload(name=path.name, size_bytes=path.stat().st_size, kind=kind)
            offset = begun.offset
            while part := file.read(begun.part_bytes):
                offset = self.send_part(begun.id, part, offset=offset).offset
        return self.complete_upload(begun.id)

    def every(self, page: Callable[..., Any], **asked: Any) -> Iterator[Any]:
        """The items of all pages of a list: `client.every(client.list_runs, state="failed")`."""
        after: str | None = ""
        while after is not None:
            found = page(**asked, after=after)
            yield from found.items
            after = found.next


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "give the path of a file, such as a zip of a folder"
        ) from None
