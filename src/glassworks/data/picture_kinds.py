"""What a file is, by its first bytes and its name: a picture that is read, one that is not, or what a system added."""

from __future__ import annotations

from pathlib import Path

from glassworks.data.decoder import AVIF_BRANDS, HEIF_BRANDS, brands

HEAD = 64
"""Bytes that tell what a file is."""
EXTENSIONS = frozenset(
    [
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jif",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".pgm",
        ".ppm",
        ".pbm",
        ".pnm",
        ".mpo",
    ]
)
"""Names of pictures that are read; what such a file holds is seen when it is decoded."""
_SYSTEM = frozenset(
    {
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *(
            "@eadir",
            "#recycle",
            "@recycle",
            "@tmp",
            "#snapshot",
            "@sharebin",
            "lost+found",
            "__pycache__",
            "picasa.ini",
        ),
        "icon\r",
    }
)
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}


def is_system(name: str) -> bool:
    """Whether an operating system, a network drive or a program put it there: thumbnails, notes, bins, hidden files."""
    return name.startswith(".") or name.lower() in _SYSTEM


def kind_of_file(head: bytes) -> str:
    """The format of a picture that is read, by the first bytes of its file; empty for everything else."""
    for mark, kind in _MARKS.items():
        if head.startswith(mark):
            return kind
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else ""
    if found := brands(head):
        return "AVIF" if found & AVIF_BRANDS else "HEIF" if found & HEIF_BRANDS else ""
    if head[:2] == b"BM":
        return "BMP" if head[6:10] == b"\0\0\0\0" else ""
    return "PPM" if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() else ""


def has_picture_name(name: str) -> bool:
    """Whether a file is called as a picture is."""
    return Path(name).suffix.lower() in EXTENSIONS


def is_picture(path: Path) -> bool:
    """Whether it is a file with the name of a picture, or one that begins as a picture does. Raises OSError."""
    if not path.is_file():
        return False
    if has_picture_name(path.name):
        return True
    with path.open("rb") as file:
        return bool(kind_of_file(file.read(HEAD)))
