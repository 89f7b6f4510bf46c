"""Whether a worker is there, asked by many at the same time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.patience import PATIENCE_S

from glassworks.runs.presence import Presence, anybody

_ASK = """
import pathlib, sys
from glassworks.runs.presence import anybody
print(sum(anybody(pathlib.Path(sys.argv[1])) for _ in range(3000)))
"""


def test_those_who_ask_at_the_same_time_do_not_see_each_other(tmp_path: Path) -> None:
    asking = [subprocess.Popen([sys.executable, "-c", _ASK, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: anybody(tmp_path), range(3000)))
    assert [int(each.communicate(timeout=PATIENCE_S)[0]) for each in asking] == [0, 0]


def test_a_worker_is_seen_by_all_while_it_takes_runs(tmp_path: Path) -> None:
    one, other = Presence(tmp_path), Presence(tmp_path)
    assert not anybody(tmp_path)
    one.enter()
    other.enter()
    one.leave()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: anybody(tmp_path), range(200)))
    other.close()
    assert not anybody(tmp_path)
    one.close()
