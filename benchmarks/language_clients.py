"""Other people's clients, unmodified, against a server of ours, their results compared with the same weights elsewhere.

    python benchmarks/language_clients.py HOME MODEL FOLDER [CLIENT ...]

Clients: openai, evaluation (`lm-eval[api]`), captum; all without. HOME is a registry in which MODEL is served as it
computes in float32, FOLDER the same weights as transformers reads them (`peers/language_files.py`), the oracle.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from language_served import Served
from report import publish

Rows = list[tuple[str, object, str]]
QUESTION = [{"role": "user", "content": "Name three colors of the rainbow, and say which you like best."}]
TOKENS = 24
SMALL = 2e-3
QUESTIONS = (
    ("The capital of France is", (" Paris", " Berlin", " Madrid"), 0),
    ("Water is made of hydrogen and", (" oxygen", " iron", " gold"), 0),
    ("Two plus two is", (" five", " four", " nine"), 1),
    ("The sun rises in the", (" west", " north", " east"), 2),
    ("A baby dog is called a", (" puppy", " kitten", " calf"), 0),
    ("Snow is", (" hot", " cold", " green"), 1),
    ("The opposite of up is", (" left", " down", " over"), 1),
    ("Bees make", (" milk", " honey", " wine"), 1),
)


def main() -> None:
    home, model, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    rows: Rows = []
    with Served(home, model) as served:
        for name in sys.argv[4:] or CLIENTS:
            rows += CLIENTS[name](f"http://{served.address}", model, folder)
            publish("language_clients", {"rows": rows}, rows[-1:])
    publish("language_clients", {"rows": rows}, rows)


def oracle(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return model, tokenizer


def by_openai(url: str, model: str, folder: Path) -> Rows:
    """Every surface once; a greedy conversation equals transformers' `generate`."""
    import openai

    asked: dict[str, Any] = {"model": model, "messages": QUESTION, "max_tokens": TOKENS, "temperature": 0}
    right: dict[str, bool] = {}
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        right["models"] = any(each.id == model for each in client.models.list())
        said = client.chat.completions.create(**asked).choices[0].message.content
        right["chat equals transformers"] = said == _greedy(folder)
        parts = client.chat.completions.create(**asked, stream=True)
        right["chat in parts"] = "".join(each.choices[0].delta.content or "" for each in parts if each.choices) == said
        right["responses"] = _responds(client, model, said)
        plain = client.completions.create(model=model, prompt="One, two,", max_tokens=8, temperature=0, logprobs=2)
        right["completions"] = len(plain.choices[0].logprobs.tokens) == 8 if plain.choices[0].logprobs else False
        right["json_schema"] = _keeps_schema(client, asked)
        right["refusal"] = _refused(client, asked)
    return [(f"openai {openai.__version__}: {name}", each, "True") for name, each in right.items()]


def _greedy(folder: Path) -> str:
    model, tokenizer = oracle(folder)
    ids = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    found = model.generate(**ids, max_new_tokens=TOKENS, do_sample=False, pad_token_id=0)
    text: str = tokenizer.decode(found[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    return text


def _responds(client: Any, model: str, said: str | None) -> bool:
    asked = {"model": model, "input": QUESTION, "max_output_tokens": TOKENS, "temperature": 0}
    whole = client.responses.create(**asked).output_text
    deltas = [
        each.delta
        for each in client.responses.create(**asked, stream=True)
        if each.type == "response.output_text.delta"
    ]
    return bool(said == whole == "".join(deltas))


def _keeps_schema(client: Any, asked: Mapping[str, Any]) -> bool:
    schema = {
        "type": "object",
        "properties": {"color": {"enum": ["red", "blue"]}, "count": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["color", "count"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    found = json.loads(client.chat.completions.create(**asked, response_format=form).choices[0].message.content)
    return set(found) == {"color", "count"} and found["color"] in ("red", "blue") and 1 <= found["count"] <= 9


def _refused(client: Any, asked: Mapping[str, Any]) -> bool:
    import openai

    try:
        client.chat.completions.create(**asked, extra_body={"no_such_parameter": 1})
    except openai.BadRequestError as error:
        return "no_such_parameter" in str(error)
    return False


def by_evaluation(url: str, model: str, folder: Path) -> Rows:
    """Two tasks of a file: choices by log-likelihood, and written answers. `hf` is the oracle."""
    import lm_eval

    with tempfile.TemporaryDirectory() as place:
        _write_tasks(Path(place))
        settings = {"base_url": f"{url}/v1/completions", "model": model, "num_concurrent": 4, "max_length": 2048}
        ours = _evaluated("local-completions", settings, place)
        same = {"pretrained": str(folder), "dtype": "float32", "device": "cpu", "max_length": 2048}
        theirs = _evaluated("hf", same, place)
    sums = [
        abs(a[0] - b[0])
        for mine, other in zip(ours["chosen"], theirs["chosen"], strict=True)
        for a, b in zip(mine["filtered_resps"], other["filtered_resps"], strict=True)
    ]
    flags = [
        a[1] == b[1]
        for mine, other in zip(ours["chosen"], theirs["chosen"], strict=True)
        for a, b in zip(mine["filtered_resps"], other["filtered_resps"], strict=True)
    ]
    written = [a["resps"] == b["resps"] for a, b in zip(ours["written"], theirs["written"], strict=True)]
    name = f"lm-eval {lm_eval.__version__}"
    return [
        (
            f"{name}: log-likelihoods of {len(sums)} choices against its own hf model, largest difference",
            max(sums),
            SMALL,
        ),
        (f"{name}: said to be greedy alike", f"{sum(flags)} of {len(flags)}", "all"),
        (f"{name}: written answers equal", f"{sum(written)} of {len(written)}", "all"),
        (f"{name}: accuracy, ours and hf", f"{ours['accuracy']}, {theirs['accuracy']}", "equal"),
    ]


def _write_tasks(folder: Path) -> None:
    lines = [json.dumps({"question": q, "choices": c, "gold": g}) for q, c, g in QUESTIONS]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    common = f"""dataset_path: json
dataset_kwargs:
  data_files:
    test: {folder}/questions.jsonl
test_split: test
doc_to_text: "{{{{question}}}}"
"""
    chosen = (
        'task: chosen\noutput_type: multiple_choice\ndoc_to_choice: "{{choices}}"\n'
        'doc_to_target: gold\ntarget_delimiter: ""\n'
    )
    written = (
        'task: written\noutput_type: generate_until\ndoc_to_target: "{{choices[gold]}}"\n'
        'generation_kwargs:\n  until: ["."]\n  max_gen_toks: 12\n  do_sample: false\n  temperature: 0.0\n'
        "metric_list:\n  - metric: exact_match\n"
    )
    for name, rest in (("chosen", chosen), ("written", written)):
        (folder / f"{name}.yaml").write_text(rest + common, encoding="utf-8")


def _evaluated(kind: str, settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    import lm_eval
    from lm_eval.tasks import TaskManager

    found: Any = lm_eval.simple_evaluate(
        model=kind,
        model_args=dict(settings),
        tasks=["chosen", "written"],
        task_manager=TaskManager(include_path=folder, include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = {name: sorted(each, key=lambda one: one["doc_id"]) for name, each in found["samples"].items()}
    return {**samples, "accuracy": found["results"]["chosen"]["acc,none"]}


def by_captum(url: str, model: str, folder: Path) -> Rows:
    """Feature ablation of a prompt's words through the server against the same on the weights in this process."""
    import captum
    import numpy as np
    from captum.attr import FeatureAblation, LLMAttribution, RemoteLLMAttribution, TextTemplateInput, VLLMProvider

    network, tokenizer = oracle(folder)
    words = TextTemplateInput("{} lives in {}, a city in {}. The favorite food of", ["Anna", "Paris", "France"])
    target = " Anna is cheese"
    ours = RemoteLLMAttribution(
        FeatureAblation(RemoteLLMAttribution.placeholder_model), tokenizer, VLLMProvider(f"{url}/v1", model)
    ).attribute(words, target=target)
    theirs = LLMAttribution(FeatureAblation(network), tokenizer).attribute(words, target=target)
    difference = float(np.abs(ours.seq_attr.numpy() - theirs.seq_attr.numpy()).max())
    largest = float(np.abs(theirs.seq_attr.numpy()).max())
    name = (
        f"captum {captum.__version__}, VLLMProvider: attributions against its own on transformers, largest difference"
    )
    return [(f"{name} (largest attribution {largest:.2f})", difference, f"at most {SMALL}")]


CLIENTS: Mapping[str, Callable[[str, str, Path], Rows]] = {
    "openai": by_openai,
    "evaluation": by_evaluation,
    "captum": by_captum,
}

if __name__ == "__main__":
    main()
