"""SQLite's write-ahead log, switched on by processes that open the same new file at once."""

from __future__ import annotations

import sqlite3
import time

_PAUSE_S = 0.005


def write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log beside the file, so that readers wait for no writer; waits as long as the connection's timeout.

    SQLite asks for the file alone to switch and does not wait for somebody who is about to write, whatever the timeout
    (sqlite3_busy_handler: not called where two could wait for each other). Raises sqlite3.OperationalError when the
    time is over.
    """
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + patience_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
