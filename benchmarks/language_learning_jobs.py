"""From a file to an answer of the tuned model by OpenAI's client: what passes beyond the training. SmolLM2-135M.

    python benchmarks/language_learning_jobs.py

The data are those of `language_learning.py`, one epoch of the fewest conversations; the model is brought with its
search before anything is timed, as `glassworks import` does.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from language_learning import SOURCE, conversations
from report import publish

CONTEXT, EXAMPLES, BAR_S = 512, 20, 60.0


def _brought(home: Path) -> None:
    from glassworks.flow import release
    from glassworks.job_files import job_of
    from glassworks.registry import Registry

    texts = [json.dumps(row["messages"][1]["content"]) for row in conversations(1)[:80]]
    (home / "texts.csv").write_text("\n".join(["text", *texts]), encoding="utf-8")
    table: Mapping[str, Any] = {
        "name": "smollm2",
        "family": "language_model",
        "data": {"source": f"csv:{home / 'texts.csv'}"},
        "model": {"source": SOURCE, "context": CONTEXT, "streams": 4},
    }
    release(job_of(table, where="the benchmark"), Registry.open())


def _timed(client: Any, rows: bytes) -> tuple[float, str]:
    """Seconds from the upload to the first answer, and the id of the job's run."""
    begun = time.perf_counter()
    file = client.files.create(file=("orders.jsonl", rows), purpose="fine-tune")
    made = client.fine_tuning.jobs.create(model="smollm2", training_file=file.id, hyperparameters={"n_epochs": 1})
    while (job := client.fine_tuning.jobs.retrieve(made.id)).status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.2)
    if job.status != "succeeded":
        raise SystemExit(f"the job is {job.status}: {job.error}")
    asked = [{"role": "user", "content": "The lamp flickers."}]
    client.chat.completions.create(model=job.fine_tuned_model, messages=asked, max_tokens=8)
    return time.perf_counter() - begun, made.id.removeprefix("ftjob-")


def _stages(run: str) -> dict[str, float]:
    """Seconds of each stage of a run."""
    from glassworks.registry import Registry
    from glassworks.runs import Runs

    events = [event for event in Runs(Registry.open()).events(run, limit=10**6) if event.kind in ("stage", "state")]
    return {
        str(event.data["stage"]): following.at - event.at
        for event, following in itertools.pairwise(events)
        if event.kind == "stage"
    }


def main() -> None:
    """The figure, and where the time goes."""
    import openai

    with tempfile.TemporaryDirectory() as folder:
        os.environ["GLASSWORKS_HOME"] = folder
        _brought(Path(folder))
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in conversations(0)[:EXAMPLES]).encode()
        command = [sys.executable, "-m", "glassworks", "serve", "--no-grpc", "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            whole, run = _timed(openai.OpenAI(base_url=f"{url}/v1", api_key="none"), rows)
            server.terminate()
        stages = _stages(run)
    beyond = whole - stages.get("train", 0.0)
    publish(
        "language_learning_jobs",
        {"whole_s": whole, "beyond_training_s": beyond, "stages_s": stages},
        [("upload to first answer beyond training, s", beyond, f"at most {BAR_S:g}"), ("whole, s", whole, "")],
    )


if __name__ == "__main__":
    main()
