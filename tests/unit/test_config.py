"""Job files: what is read, what is refused and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter

from glassworks.config import DataConfig, Job, validate
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.keys import PictureData
from glassworks.data.text.keys import TextData
from glassworks.durations import Seconds, parse_duration
from glassworks.errors import ConfigError, NotFound
from glassworks.job_files import JobWarning, job_of, load_job, modalities
from glassworks.record import Record

ROOT = Path(__file__).parents[2]
MINIMAL = 'name = "m"\nfamily = "convnet"\n[data]\nsource = "sample:mnist-5k"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_job(path, overrides)
    return caught.value


def test_the_example_is_a_job() -> None:
    job = load_job(ROOT / "examples" / "digits.toml")
    assert (job.name, job.family, job.data.source) == ("digits", "convnet", "sample:mnist-5k")


def test_three_keys_are_enough(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, MINIMAL))
    assert job == Job(name="m", family="convnet", data=PictureData(source="sample:mnist-5k"))


@pytest.mark.parametrize(
    ("more", "problem", "mend"),
    [
        ("[training]\nepoch = 3", "unknown key 'training.epoch'", "did you mean 'training.epochs'?"),
        ("[trainin]\nepochs = 3", "unknown key 'trainin'", "did you mean 'training'?"),
        ("[serving]\nxyz = 3", "unknown key 'serving.xyz'", "allowed here: access_log, allow_origin, allowed_hosts"),
        ("[training]\nepochs = 'many'", "'training.epochs' is 'many': ", "set training.epochs to an allowed value"),
        ("[training]\nepochs = 0", "'training.epochs' is 0: greater than or equal to 1", "set training.epochs"),
        ("[training]\ndevice = 'tpu'", "'auto', 'cpu' or 'cuda'", "set training.device"),
        ("[training]\nbudget = '5 parsecs'", "a duration is a number of seconds or a text such", "set training.budget"),
        ("[training]\nbudget = inf", "'training.budget' is inf: a finite number", "set training.budget"),
        ("[training]\nbudget = true", "a duration is a number of seconds", "set training.budget"),
        ("[training]\nbudget = 0", "greater than 0", "set training.budget"),
        ("[optimization]\nwithin = [3]", "'optimization.within.0' is 3: ", "set optimization.within.0"),
        ("[training]\nepochs = '3x'", "'training.epochs' is '3x': a whole number", "set training.epochs"),
        ("[optimization]\nwithin = 'a <= 1'", "is 'a <= 1': a list", 'write optimization.within = ["a <= 1"]'),
        ("training = 3", "unknown key 'data.training'", "allowed here: bits, delimiter, encoding, group,"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_refused_with_its_path(more: str, problem: str, mend: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"{MINIMAL}{more}\n")
    error = refused(path)
    assert str(path) in error.problem
    assert problem in error.problem
    assert mend in error.mend


TEXTS = 'name = "m"\nfamily = "recurrent_text"\n[data]\nsource = "csv:x.csv"\n'


def test_each_modality_has_keys_of_its_own(tmp_path: Path) -> None:
    assert modalities() == {
        "pictures": PictureData,
        "texts": TextData,
        "interactions": InteractionData,
        "conversations": ConversationData,
    }
    assert isinstance(load_job(written(tmp_path, MINIMAL)).data, PictureData)
    data = load_job(written(tmp_path, f"{TEXTS}unlabeled = 'jsonl:more.jsonl'\nseparator = '|'")).data
    wanted = TextData(source=f"csv:{tmp_path}/x.csv", unlabeled=f"jsonl:{tmp_path}/more.jsonl", separator="|")
    assert data == wanted


def test_a_key_of_another_modality_has_no_effect_and_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path, f"{TEXTS}user = 'who'\n")
    message = (
        rf"{path}: 'data.user' has no effect: it is a key of interactions, which the family 'recurrent_text' does not"
    )
    with pytest.warns(JobWarning, match=message):
        job = load_job(path)
    assert job == load_job(written(tmp_path, TEXTS))
    assert "user" not in job.model_dump()["data"]


def test_the_record_of_an_older_bundle_is_read_without_a_word() -> None:
    """Its `[data]` had the keys of every modality."""
    every = {"source": "csv:x", "text": "t", "user": "user", "hosts": [], "categories": [], "protocol": "auto"}
    job = job_of({"name": "m", "family": "recurrent_text", "data": every}, where="a bundle")
    assert job.data == TextData(source="csv:x", text="t")


def test_an_unknown_family_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no family 'convent'"):
        load_job(written(tmp_path, MINIMAL.replace("convnet", "convent")))


def test_data_are_taken_as_their_family_reads_them() -> None:
    job = Job(name="m", family="recurrent_text", data=DataConfig(source="csv:x", seed=3))
    assert TextData.of(job) == TextData(source="csv:x", seed=3)
    with pytest.raises(ConfigError, match="the family 'recurrent_text' learns from pictures, and 'data' are texts"):
        PictureData.of(job.model_copy(update={"data": TextData(source="csv:x")}))


def test_what_a_job_writes_is_read_again() -> None:
    data = InteractionData(source="csv:x", user="who", categories=("kind",))
    job = Job(name="m", family="collaborative", data=data)
    assert job_of(json.loads(job.model_dump_json()), where="a test") == job


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    error = refused(written(tmp_path, 'name = "m"\nfamily = "convnet"\n[data]\nseed = 1\n'))
    assert error.problem.endswith("the key 'data.source' is missing")
    assert error.mend == "add it to the job file: data.source = ..."


def test_a_name_that_cannot_stand_in_a_url_is_refused(tmp_path: Path) -> None:
    assert "'name' is '../x'" in refused(written(tmp_path, MINIMAL), "name=../x").problem
    assert refused(written(tmp_path, MINIMAL), "name=My Model").mend.endswith(": my-model")


def test_bad_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(written(tmp_path, 'name = "m"\nfamily =\n'))
    assert "is not valid TOML" in error.problem
    assert "line 2" in error.problem
    assert error.mend == "correct the file at that line"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "absent.toml")
    assert error.problem == f"there is no job file {tmp_path / 'absent.toml'}"
    assert "examples/digits.toml" in error.mend


def test_a_folder_is_not_a_job_file(tmp_path: Path) -> None:
    assert "cannot read the job file" in refused(tmp_path).problem


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_bytes(b"name = '\xff'")
    assert refused(tmp_path / "job.toml").mend == "give a readable UTF-8 text file"


def test_overrides_are_typed_and_nested(tmp_path: Path) -> None:
    job = load_job(
        written(tmp_path, MINIMAL),
        [
            "training.epochs=3",
            "training.learning_rate=1e-3",
            "training.budget=5m",
            "training.device=cpu",
            "optimization.enabled=false",
            "optimization.batch_sizes=[1, 8]",
            "model.width=16",
            'model.activation="relu"',
            "name=other",
        ],
    )
    assert (job.training.epochs, job.training.learning_rate, job.training.budget) == (3, 1e-3, 300.0)
    assert (job.training.device, job.optimization.enabled, job.optimization.batch_sizes) == ("cpu", False, (1, 8))
    assert job.model == {"width": 16, "activation": "relu"}
    assert job.name == "other"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.epochs", "'--set training.epochs' is not KEY=VALUE"),
        ("=3", "'--set =3' is not KEY=VALUE"),
        ("name.part=3", "'name' is a value, not a table"),
        ("training.epoch=3", "unknown key 'training.epoch'"),
        ("training.epochs=many", "'training.epochs' is 'many'"),
        ("training=3", "'training' is 3"),
        ("data=3", "'data' is 3"),
    ],
)
def test_a_bad_override_is_refused(override: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused(written(tmp_path, MINIMAL), override).problem


@pytest.mark.parametrize("scheme", ["folder", "npz"])
def test_relative_data_counts_from_the_job_file(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    job = load_job(written(tmp_path, MINIMAL), [f"data.source={scheme}:pictures/all"])
    assert job.data.source == f"{scheme}:{tmp_path.resolve() / 'pictures' / 'all'}"


def test_a_local_data_set_is_found_from_the_job_file_and_a_name_on_the_hub_stays_one(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    for source, wanted in (("hf:local", f"hf:{tmp_path / 'local'}"), ("hf:owner/name", "hf:owner/name")):
        job = load_job(written(tmp_path, MINIMAL), [f"data.source={source}"])
        assert job.data.source == wanted


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        ("../photos", "write folder:../photos"),
        ("films.csv", "write csv:films.csv"),
        ("../a/Films.Parquet", "write parquet:../a/Films.Parquet"),
        ("digits.npz", "write npz:digits.npz"),
        ("mnist-5k", "write for example folder:PATH"),
        ("", "write for example folder:PATH"),
    ],
)
def test_a_source_without_a_scheme_is_refused_with_what_to_write(source: str, mend: str, tmp_path: Path) -> None:
    error = refused(written(tmp_path, MINIMAL.replace("sample:mnist-5k", source)))
    assert "not SCHEME:WHAT" in error.problem
    assert error.mend.startswith(mend)


@pytest.mark.parametrize("source", ["sample:mnist-5k", "hf:owner/name", "package:name/file", "folder:/absolute"])
def test_other_sources_stay_as_they_are(source: str, tmp_path: Path) -> None:
    assert load_job(written(tmp_path, MINIMAL), [f"data.source={source}"]).data.source == source


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("5m", 300.0), ("1.5h", 5400.0), ("250ms", 0.25), (" 2 s ", 2.0), ("1e3s", 1000.0), (3, 3)],
)
def test_durations_are_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m 3 s", "-5s", "5y", "٥s", None, []])
def test_other_texts_are_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is a number of seconds"):
        parse_duration(text)


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_duration_survives_json(seconds: float) -> None:
    adapter: TypeAdapter[float] = TypeAdapter(Seconds)
    assert adapter.validate_json(adapter.dump_json(seconds)) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(60.0, "60s"), (0.25, "0.25s"), (1234567.0, "1234567s")])
def test_a_duration_is_written_for_people(seconds: float, text: str) -> None:
    assert json.loads(TypeAdapter(Seconds).dump_json(seconds)) == text


positive = st.floats(min_value=1e-300, max_value=1e300)
tables = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,62}\Z"),
        "family": st.text(),
        "data": st.fixed_dictionaries(
            {"source": st.sampled_from(["sample:a", "folder:/x y", "npz:/数据.npz"])},
            optional={"validation": st.floats(0.01, 0.49), "seed": st.integers(0, 2**63)},
        ),
    },
    optional={
        "model": st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | positive, max_size=3),
        "training": st.fixed_dictionaries(
            {}, optional={"budget": positive, "epochs": st.integers(1, 100_000), "learning_rate": positive}
        ),
        "optimization": st.fixed_dictionaries(
            {}, optional={"within": st.lists(st.text(), max_size=3), "budget": positive}
        ),
    },
)


@given(tables)
def test_a_job_survives_json(table: dict[str, object]) -> None:
    job = validate(Job, table, where="a test")
    assert Job.model_validate_json(job.model_dump_json()) == job


class _Layer(Record):
    width: int = 8


class _Network(Record):
    layers: tuple[_Layer, ...] = ()
    first: _Layer = _Layer()


@pytest.mark.parametrize(
    ("table", "problem", "mend"),
    [
        ({"first": {"widht": 3}}, "job: unknown key 'model.first.widht'", "did you mean 'model.first.width'?"),
        ({"layers": [{"widht": 3}]}, "job: unknown key 'model.layers.0.widht'", "allowed here: "),
        ({"firts": {}}, "job: unknown key 'model.firts'", "did you mean 'model.first'?"),
    ],
)
def test_a_family_table_is_named_from_the_root_of_the_job(table: dict[str, object], problem: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(_Network, table, where="job", prefix="model.")
    assert caught.value.problem == problem
    assert mend in caught.value.mend
