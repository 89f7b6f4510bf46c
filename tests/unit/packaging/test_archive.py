"""An archive is unpacked whole and verified, or refused with nothing left behind."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from glassworks.errors import BundleError, GlassworksError, InputError, NotFound, Tampered, UnsafePath
from glassworks.packaging.archive import Limits, pack_bundle, unpack_bundle
from glassworks.packaging.bundle import Bundle, read_bundle

MakeBundle = Callable[..., Bundle]
Member = tuple[str | zipfile.ZipInfo, bytes]


def _zip(path: Path, *members: Member, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def _refused(path: Path, expected: type[GlassworksError], match: str, limits: Limits | None = None) -> None:
    """Refused with that text, and nothing new lies beside the archive."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(expected, match=match):
        unpack_bundle(path, path.with_name("target"), limits or Limits())
    assert sorted(path.parent.iterdir()) == before


def test_the_same_bundle_gives_the_same_bytes_stored(make_bundle: MakeBundle, tmp_path: Path) -> None:
    one = pack_bundle(make_bundle("one"), tmp_path / "one.glass")
    two = pack_bundle(make_bundle("two"), tmp_path / "new/two.glass")
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == ["manifest.json", "model.onnx", "parts/words.json"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_packing_a_changed_bundle_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    (bundle.folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(Tampered, match=r"the file 'model.onnx' differs from its recorded SHA-256"):
        pack_bundle(bundle, tmp_path / "b.glass")
    assert sorted(tmp_path.iterdir()) == [bundle.folder]


def test_a_bundle_zipped_by_hand_is_read(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    path = tmp_path / "b.glass"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(bundle.folder.rglob("*")):
            archive.write(each, each.relative_to(bundle.folder))
    (tmp_path / "empty").mkdir()
    assert unpack_bundle(path, tmp_path / "empty").sha256 == bundle.sha256


def test_a_target_with_content_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    path = pack_bundle(make_bundle(), tmp_path / "b.glass")
    with pytest.raises(InputError, match=r"is not empty\nmend: unpack into a new or empty folder"):
        unpack_bundle(path, tmp_path / "bundle")
    with pytest.raises(NotFound, match="there is no archive"):
        unpack_bundle(tmp_path / "nowhere.glass", tmp_path / "target")


@pytest.mark.parametrize("name", ["../x", "/x", "a\\..\\x", "C:x", "a/../../x", "a\x00b", "../"])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = entry.orig_filename = name
    _refused(_zip(tmp_path / "b.glass", (entry, b"x")), UnsafePath, "names the file")


@pytest.mark.parametrize(("kind", "reported"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "not a regular file")])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, reported: str) -> None:
    entry = zipfile.ZipInfo("model.onnx")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    _refused(_zip(tmp_path / "b.glass", (entry, b"/etc/passwd")), UnsafePath, f"'model.onnx' is {reported}")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    _refused(_zip(tmp_path / "b.glass", ("a", b"1"), ("a", b"2")), BundleError, "holds 'a' twice")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    _refused(_zip(tmp_path / "b.glass", ("a", b"1"), ("a/b", b"2")), BundleError, "the place of 'a/b' is taken")
    _refused(_zip(tmp_path / "b.glass", ("a/b", b"1"), ("a", b"2")), BundleError, "the place of 'a' is taken")


def test_encrypted_and_strangely_compressed_members_are_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "b.glass", ("a", b"x"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    _refused(path, BundleError, "'a' is encrypted")
    path = _zip(tmp_path / "b.glass", ("a", b"x"), compression=zipfile.ZIP_LZMA)
    _refused(path, BundleError, "'a' is compressed in a way that is not allowed")


def test_bombs_are_refused_by_what_comes_out(tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "b.glass", ("a", bytes(20_000_000)), compression=zipfile.ZIP_DEFLATED)
    _refused(bomb, BundleError, "'a' unpacks to more than .* bytes, as a zip bomb does")
    stored = _zip(tmp_path / "b.glass", ("a", bytes(600)), ("b", bytes(600)))
    _refused(stored, BundleError, "'b' unpacks to more than 400 bytes", Limits(total_bytes=1000))
    _refused(stored, BundleError, "holds 2 files, 1 are allowed", Limits(files=1))


def test_each_member_and_the_whole_are_measured_against_what_went_in(tmp_path: Path) -> None:
    ballast = zipfile.ZipInfo("ballast")
    bomb = zipfile.ZipInfo("bomb")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    path = _zip(tmp_path / "b.glass", (ballast, bytes(1_000_000)), (bomb, bytes(20_000_000)))
    _refused(path, BundleError, "'bomb' unpacks to more than")
    many = [(f"{number:02}", bytes(1000)) for number in range(30)]
    path = _zip(tmp_path / "b.glass", *many, compression=zipfile.ZIP_DEFLATED)
    _refused(path, BundleError, "unpacks to more than", Limits(ratio=2, slack_bytes=1000))


def test_a_lying_size_does_not_help_a_bomb(tmp_path: Path) -> None:
    path = _zip(tmp_path / "b.glass", ("a", bytes(20_000_000)), compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    _refused(path, GlassworksError, "'a'")


def test_a_flipped_byte_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    path = pack_bundle(make_bundle(), tmp_path / "b.glass")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"graph", b"grapi"))
    _refused(path, Tampered, "the file 'model.onnx' is damaged: Bad CRC-32")


@given(cut=st.floats(0, 1, exclude_max=True), flips=st.lists(st.floats(0, 1, exclude_max=True), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_whatever_is_broken_nothing_wrong_is_accepted(
    make_bundle: MakeBundle, tmp_path: Path, cut: float, flips: list[float]
) -> None:
    bundle = make_bundle()
    content = bytearray(pack_bundle(bundle, tmp_path / "whole.glass").read_bytes())
    for flip in flips:
        content[int(flip * len(content))] ^= 1 << int(flip * 1e6) % 8
    broken = tmp_path / "broken.glass"
    broken.write_bytes(content if flips else content[: int(cut * len(content))])
    folder = tmp_path / "broken"
    try:
        assert unpack_bundle(broken, folder).sha256 == bundle.sha256
        for each in sorted(folder.rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        folder.rmdir()
    except GlassworksError:
        assert not folder.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "whole.glass", "broken.glass"}


FULL = """
import resource, signal, sys
from pathlib import Path
from glassworks.errors import StorageError
from glassworks.packaging.archive import pack_bundle, unpack_bundle
from glassworks.packaging.bundle import read_bundle
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
root = Path(sys.argv[1])
for call in (
    lambda: pack_bundle(read_bundle(root / "bundle"), root / "second.glass"),
    lambda: unpack_bundle(root / "first.glass", root / "target"),
):
    try:
        call()
    except StorageError as error:
        sys.stdout.write(str(error) + "\\n")
"""


def test_a_full_disk_leaves_nothing_half_written(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle(files={"model.onnx": bytes(100_000)})
    pack_bundle(bundle, tmp_path / "first.glass")
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the disk is full\nmend: free some space") == 2
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "first.glass"}
    assert read_bundle(bundle.folder) == bundle
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 30_000
