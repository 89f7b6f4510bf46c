"""What the machine can give: its control group's quota and limit count, files that are only cached do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glassworks import machine
from glassworks.machine import available_bytes, compute_with, give_way_in_memory, total_bytes, usable_cpus

MIB = 2**20


@pytest.mark.parametrize(
    ("quota", "limit"), [("50000 100000", 1), ("150000 100000", 2), ("max 100000", 10_000), ("", 10_000)]
)
def test_cpus_are_those_of_the_cgroup(tmp_path: Path, quota: str, limit: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cpus(tmp_path) == min(limit, len(os.sched_getaffinity(0)))


def test_an_agreed_number_of_cpus_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine._Agreed, "cpus", 0)
    compute_with(7)
    assert usable_cpus() == 7


def test_one_processor_is_left_where_there_are_more() -> None:
    code = """import os
from glassworks.machine import leave_a_processor
before = os.sched_getaffinity(0); leave_a_processor(); after = os.sched_getaffinity(0)
assert after == (before - {min(before)} or before), (before, after)
leave_a_processor()
assert os.sched_getaffinity(0)"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       8192 kB\nMemFree:   10 kB\nMemAvailable:    4096 kB\n")
    return path


def test_memory_of_the_machine(tmp_path: Path, meminfo: Path) -> None:
    assert available_bytes(tmp_path, meminfo) == 4 * MIB
    assert total_bytes(meminfo) == 8 * MIB
    assert available_bytes(tmp_path, tmp_path / "nothing") is None


@pytest.mark.parametrize("version", [1, 2])
def test_memory_of_a_control_group(tmp_path: Path, meminfo: Path, version: int) -> None:
    limit, used, cached, folder = (
        ("memory.max", "memory.current", "inactive_file", tmp_path)
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", tmp_path / "memory")
    )
    folder.mkdir(exist_ok=True)
    (folder / limit).write_text(f"{3 * MIB}\n")
    (folder / used).write_text(f"{2 * MIB}\n")
    assert available_bytes(tmp_path, meminfo) == 1 * MIB
    (folder / "memory.stat").write_text(f"anon 1\n{cached} {MIB}\n")
    assert available_bytes(tmp_path, meminfo) == 2 * MIB
    (folder / limit).write_text("max" if version == 2 else str(2**63 - 4096))
    assert available_bytes(tmp_path, meminfo) == 4 * MIB


def test_a_process_gives_way_in_memory_where_the_system_knows_how(tmp_path: Path) -> None:
    give_way_in_memory(300, tmp_path / "oom_score_adj")
    assert (tmp_path / "oom_score_adj").read_text() == "300"
    give_way_in_memory(300, tmp_path / "elsewhere" / "oom_score_adj")
