"""Data are sent to a real service in parts, as its client does it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.archives import write_zip
from tests.integration.serving.running import serving

from glassworks import Client
from glassworks.errors import Conflict, InputError, NotFound


def noise(seed: int, side: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def test_a_zip_in_parts_becomes_pictures_and_a_job(tmp_path: Path) -> None:
    files = {f"pets/{'cat' if each % 2 else 'dog'}/{each}.png": noise(each, 800) for each in range(6)}
    content = write_zip(tmp_path / "pets.zip", files).read_bytes()
    with serving(tmp_path) as server, Client(f"http://{server.address}") as client:
        sha256 = hashlib.sha256(content).hexdigest()
        upload = client.begin_upload(name="宠物.zip", size_bytes=len(content), sha256=sha256)
        assert len(content) > upload.part_bytes
        client.send_part(upload.id, content[: upload.part_bytes], offset=0)
        with pytest.raises(Conflict, match=f"{upload.part_bytes} bytes have arrived"):
            client.send_part(upload.id, b"x", offset=len(content) - 1)
        with pytest.raises(InputError):
            client.send_part(upload.id, b"x" * (upload.part_bytes + 1), offset=0)
        offset = client.get_upload(upload.id).offset
        client.send_part(upload.id, content[offset:], offset=offset)
        item = client.complete_upload(upload.id)
        assert (item.name, item.kind, item.examples) == ("宠物.zip", "pictures", 6)
        assert Image.open(io.BytesIO(client.get_picture(item.id, 5))).size == (256, 256)
        assert client.draft(data=item.source).job["data"] == {"source": item.source}
        assert next(each.id for each in client.every(client.list_data, limit=2)) == item.id
        assert [each.index for each in client.every(client.list_examples, item=item.id, limit=4)] == list(range(6))
        client.delete_data(item.id)
        with pytest.raises(NotFound):
            client.get_data(item.id)
