"""Small picture files of the usual formats, to be changed."""

from __future__ import annotations

import functools
import io


@functools.cache
def samples() -> tuple[bytes, ...]:
    """One file of each format and mode."""
    from PIL import Image

    found = []
    for form, mode in (
        ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16"), ("JPEG", "RGB"), ("JPEG", "CMYK"),
        ("WEBP", "RGB"), ("TIFF", "L"), ("TIFF", "RGB"), ("BMP", "RGB"), ("GIF", "P"),
    ):  # fmt: skip
        file = io.BytesIO()
        Image.new(mode, (28, 28)).save(file, form)
        found.append(file.getvalue())
    return tuple(found)
