"""What the machine offers: bfloat16 by a probe that is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glassworks.config import DataConfig, Job
from glassworks.errors import TrainingError
from glassworks.training.plan import choose_precision
from glassworks.training.runs import forget_run, open_run, run_name


def test_bf16_only_where_it_is_faster_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    now_s = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now_s)

    def step(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    slow, quick = 0.003, 0.0005
    memory = tmp_path / "precision.json"
    assert choose_precision(lambda bf16: step(quick if bf16 else slow), memory) == "bf16"
    assert choose_precision(lambda bf16: step(slow if bf16 else quick), memory) == "bf16"
    memory.unlink()
    assert choose_precision(lambda bf16: step(slow if bf16 else quick), memory) == "fp32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has bfloat16")
def test_no_step_is_spent_where_the_processor_has_no_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    steps: list[bool] = []
    assert choose_precision(steps.append, tmp_path / "precision.json") == "fp32"
    assert steps == []


def test_a_run_is_found_again_by_what_decides_its_weights(tmp_path: Path) -> None:
    job = Job(name="a", family="convnet", data=DataConfig(source="sample:digits"))
    other = job.model_copy(update={"training": job.training.model_copy(update={"seed": 1})})
    served = job.model_copy(update={"serving": job.serving.model_copy(update={"port": 1})})
    assert run_name(job, "f") == run_name(served, "f")
    assert len({run_name(job, "f"), run_name(other, "f"), run_name(job, "g")}) == 3
    with open_run(tmp_path, job, "f") as folder:
        assert folder.is_dir()
        with pytest.raises(TrainingError, match="another process") as told:
            open_run(tmp_path, job, "f").__enter__()
    assert "--set name" in told.value.mend


def test_forgetting_a_run_keeps_its_lock_and_metrics(tmp_path: Path) -> None:
    job = Job(name="a", family="convnet", data=DataConfig(source="sample:digits"))
    with open_run(tmp_path, job, "f") as folder:
        for name in ("state.safetensors", "metrics.jsonl"):
            (folder / name).write_text("x")
        (folder / "build").mkdir()
        forget_run(folder)
        assert sorted(each.name for each in folder.iterdir()) == ["lock", "metrics.jsonl"]
