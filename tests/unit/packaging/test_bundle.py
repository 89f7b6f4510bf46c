"""A bundle is read as it was written, or refused by name of the file that is wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from glassworks.contracts import Artifact, Signature
from glassworks.errors import BundleError, NewerFormat, NotFound, StorageError, Tampered, UnsafePath, Unsupported
from glassworks.packaging.archive import pack_bundle, unpack_bundle
from glassworks.packaging.bundle import Bundle, read_bundle, write_bundle
from glassworks.packaging.machine import instruction_set
from glassworks.packaging.manifest import MAX_MANIFEST_BYTES, Manifest

MakeBundle = Callable[..., Bundle]

NAMES = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\:"), min_size=1, max_size=8).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1,
    max_size=3,
).map("/".join)


def _without_prefixes(files: dict[str, bytes]) -> dict[str, bytes]:
    """A name cannot be a file and a folder at once."""
    return {
        name: content
        for name, content in files.items()
        if not any(other.startswith(f"{name}/") for other in files) and name.split("/")[0] != "manifest.json"
    }


@given(files=st.dictionaries(NAMES, st.binary(max_size=64), max_size=5).map(_without_prefixes), flip=st.data())
def test_write_pack_unpack_read_is_the_identity_and_a_flipped_byte_is_refused(
    files: dict[str, bytes], flip: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = _written(Path(folder) / "bundle", files)
        assert read_bundle(bundle.folder) == bundle
        assert bundle.manifest.files == {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
        unpacked = unpack_bundle(pack_bundle(bundle, Path(folder) / "b.glass"), Path(folder) / "again")
        assert (unpacked.manifest, unpacked.sha256) == (bundle.manifest, bundle.sha256)
        assert {name: (unpacked.folder / name).read_bytes() for name in files} == files
        for name in [name for name, content in files.items() if content]:
            _flip(bundle.folder / name, flip.draw(st.integers(0, len(files[name]) - 1)))
            with pytest.raises(Tampered) as caught:
                read_bundle(bundle.folder)
            reported = " ".join(f"the file '{name}' differs from its recorded SHA-256".split())
            assert reported in caught.value.problem
            (bundle.folder / name).write_bytes(files[name])


def _written(folder: Path, files: dict[str, bytes]) -> Bundle:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    nothing = Signature(inputs=(), outputs=())
    return write_bundle(folder, Manifest(name="any", task="t", family="f", signature=nothing))


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_flipped_byte_anywhere_in_the_manifest_is_refused(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    path = bundle.folder / "manifest.json"
    content = path.read_bytes()
    for at in range(len(content)):
        _flip(path, at)
        with pytest.raises(BundleError):
            read_bundle(bundle.folder)
        path.write_bytes(content)
    path.write_bytes(content.replace(b'"convnet"', b'"konvnet"'))
    with pytest.raises(Tampered, match=r"the file 'manifest.json' differs from its recorded SHA-256\nmend: package"):
        read_bundle(bundle.folder)
    json.loads(content)


def test_the_same_content_gives_the_same_manifest_bytes(make_bundle: MakeBundle) -> None:
    one, two = make_bundle("one"), make_bundle("two")
    assert (one.folder / "manifest.json").read_bytes() == (two.folder / "manifest.json").read_bytes()
    assert one.sha256 == hashlib.sha256((one.folder / "manifest.json").read_bytes()).hexdigest()
    assert write_bundle(one.folder, one.manifest) == one


def test_a_manifest_comes_back_with_its_types(make_bundle: MakeBundle, manifest: Manifest) -> None:
    read = read_bundle(make_bundle().folder).manifest
    assert read.model_copy(update={"files": {}}) == manifest
    assert repr(read.preprocessing) == "{'invert': False, 'mean': [0.5], 'mode': 'L', 'scale': 255}"


def test_an_artifact_is_found_by_its_role(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    assert bundle.artifact("predict").path == bundle.folder / "model.onnx"
    assert bundle.artifact_sha256("predict") == hashlib.sha256(b"graph").hexdigest()
    with pytest.raises(Unsupported, match=r"holds no 'gradient' artifact\nmend: it holds: predict;"):
        bundle.artifact("gradient")


def test_missing_and_unlisted_files_are_named(make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    (folder / "parts/more.json").write_bytes(b"")
    with pytest.raises(Tampered, match=r"'parts/more.json' is not listed in the manifest\nmend: do not use it"):
        read_bundle(folder, verify=False)
    (folder / "parts/more.json").unlink()
    (folder / "parts/words.json").unlink()
    with pytest.raises(Tampered, match=r"'parts/words.json' is missing"):
        read_bundle(folder)


def test_without_verification_content_is_not_read(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    (bundle.folder / "model.onnx").write_bytes(b"other")
    assert read_bundle(bundle.folder, verify=False) == bundle


def test_what_is_no_bundle_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no bundle at"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"is not a bundle: it holds no manifest.json"):
        read_bundle(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match=r"is a file, not a bundle's folder\nmend: give a folder"):
        read_bundle(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not valid JSON"),
        (b"[" * 500_000, "is not valid JSON: recursion limit"),
        (b'{"format_version": 1, "job": ' + b'{"a":' * 100_000, "is not valid JSON: recursion limit"),
        (b'{"format_version": ' + b"1" * 100_000 + b"}", "is not valid JSON: number out of range"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[]", "gives no format version"),
        (b'{"format_version": true}', "gives no format version"),
        (b'{"format_version": 1}', "malformed at 'name': Field required"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "is longer than 16777216 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_malformed_manifest_is_reported(make_bundle: MakeBundle, content: bytes, expected: str) -> None:
    folder = make_bundle().folder
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=expected):
        read_bundle(folder)


def _edited(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_newer_format_asks_for_an_upgrade(make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    _edited(folder, format_version=2, unheard_of="yes")
    with pytest.raises(NewerFormat, match=r"has format version 2, this Glassworks reads up to 1\nmend: upgrade"):
        read_bundle(folder)


def test_an_unknown_key_is_refused(make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    _edited(folder, unheard_of="yes")
    with pytest.raises(BundleError, match="malformed at 'unheard_of'"):
        read_bundle(folder)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "a\\b", "C:/x", "c:x", "./x", "a//b", "", "a/", "a\x00b", "a\nb"]
)
def test_a_path_that_leaves_the_bundle_is_refused(make_bundle: MakeBundle, name: str) -> None:
    folder = make_bundle().folder
    _edited(folder, files={name: "0" * 64})
    with pytest.raises(UnsafePath, match="which is not a plain relative path"):
        read_bundle(folder)
    _edited(folder, files={}, artifacts=[{"role": "predict", "format": "onnx", "file": name}])
    with pytest.raises(UnsafePath, match="which is not a plain relative path"):
        read_bundle(folder)


def test_artifacts_are_listed_and_their_roles_distinct(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(BundleError, match=r"lists no file 'model.onnx' for the role 'predict'"):
        write_bundle(tmp_path, manifest)
    (tmp_path / "model.onnx").write_bytes(b"")
    twice = manifest.model_copy(update={"artifacts": (Artifact(role="p", format="f", file="model.onnx"),) * 2})
    with pytest.raises(BundleError, match="two artifacts of the role 'p'"):
        write_bundle(tmp_path, twice)
    assert not (tmp_path / "manifest.json").exists()


def test_links_are_refused_wherever_they_stand(make_bundle: MakeBundle, tmp_path: Path) -> None:
    folder = make_bundle().folder
    parts = folder / "parts"
    parts.rename(tmp_path / "outside")
    parts.symlink_to(tmp_path / "outside")
    for call in (read_bundle, lambda path: write_bundle(path, read_bundle(make_bundle("other").folder).manifest)):
        with pytest.raises(UnsafePath, match="'parts' is a link"):
            call(folder)
    parts.unlink()
    parts.mkdir()
    (parts / "words.json").symlink_to(tmp_path / "outside/words.json")
    with pytest.raises(UnsafePath, match=r"'parts/words.json' is a link"):
        read_bundle(folder)
    (parts / "words.json").unlink()
    os.mkfifo(parts / "words.json")
    with pytest.raises(UnsafePath, match=r"'parts/words.json' is not a regular file"):
        read_bundle(folder)
    (folder / "manifest.json").rename(tmp_path / "manifest.json")
    (folder / "manifest.json").symlink_to(tmp_path / "manifest.json")
    with pytest.raises(UnsafePath, match=r"manifest.json is a link"):
        read_bundle(folder)


def test_the_path_of_a_bundle_may_be_a_link(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    (tmp_path / "current").symlink_to(bundle.folder)
    assert read_bundle(tmp_path / "current") == bundle


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    for fidelity in (float("nan"), float("inf")):
        with pytest.raises(BundleError, match=r"cannot be written as JSON.*\nmend: give finite numbers"):
            write_bundle(tmp_path, manifest.model_copy(update={"fidelity": {"cosine": fidelity}}))


def test_a_file_name_that_is_not_text_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / os.fsdecode(b"\xff.bin")).write_bytes(b"")
    with pytest.raises(UnsafePath, match=r"'\\udcff.bin'"):
        write_bundle(tmp_path, manifest)


def test_a_full_disk_leaves_the_old_manifest(
    make_bundle: MakeBundle, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="the disk is full"):
        patch.setattr(os, "fsync", full)
        write_bundle(bundle.folder, manifest.model_copy(update={"license": "MIT"}))
    assert read_bundle(bundle.folder) == bundle


def test_what_a_killed_writer_left_is_not_packaged(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    (bundle.folder / ".manifest.json.1.partial").write_bytes(b"{")
    assert write_bundle(bundle.folder, bundle.manifest) == bundle


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 amx_int8 avx512_vnni sse\n", ("amx_int8", "avx2", "avx512_vnni")),
        ("Features\t: fp asimd asimddp\n", ("asimd", "asimddp")),
        ("model name : unknown\n", ()),
    ],
)
def test_instruction_sets_are_read_from_the_system(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert instruction_set(tmp_path / "cpuinfo") == expected
    assert instruction_set(tmp_path / "missing") == ()
