"""Pictures and blocks for people: sizes, colors, signs, and graphs read layer by layer."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glassworks.explanation.inspect import inspect_graph
from glassworks.explanation.render import heat_map_png, normalized, shaded_blocks
from glassworks.families.convnet.networks import Classic
from glassworks.onnx_graphs.export import write_onnx


@pytest.mark.parametrize(("height", "width", "channels"), [(28, 28, 1), (300, 200, 3), (8, 40, 3)])
def test_the_png_shows_picture_and_heat_side_by_side(height: int, width: int, channels: int) -> None:
    picture = np.full((height, width, channels), 120, np.uint8)
    values = np.zeros((1, channels, height, width), np.float32)
    values[0, 0, 0, 0], values[0, 0, -1, -1] = 1.0, -1.0
    image = np.asarray(Image.open(io.BytesIO(heat_map_png(picture, values))))
    factor = image.shape[0] // height
    assert min(height, width) * factor >= 280 or factor == 1
    assert image.shape == (height * factor, (2 * width + 1) * factor, 3)
    heat = image[:, (width + 1) * factor :]
    speaks_for, against = heat[0, 0].astype(int), heat[-1, -1].astype(int)
    assert speaks_for[0] > speaks_for[2] + 100
    assert against[2] > against[0] + 100
    middle = heat[heat.shape[0] // 2, heat.shape[1] // 2].astype(int)
    assert middle.max() - middle.min() <= 1


def test_a_caption_adds_a_band_above() -> None:
    picture, values = np.zeros((28, 28, 1), np.uint8), np.zeros((1, 1, 28, 28), np.float32)
    plain, titled = (Image.open(io.BytesIO(heat_map_png(picture, values, text))).size for text in ("", "seven"))
    assert titled == (plain[0], plain[1] + 28)


def test_zero_stays_zero_and_signs_stay() -> None:
    values = np.array([[[[0.0, 2.0], [-4.0, 0.5]]]], np.float32)
    scaled = normalized(values)
    assert scaled[0, 0] == 0
    assert np.array_equal(np.sign(scaled), np.sign(values[0, 0]))
    assert np.abs(scaled).max() <= 1
    assert not normalized(np.zeros((1, 1, 3, 3), np.float32)).any()


@pytest.mark.parametrize(("side", "columns"), [(28, 28), (64, 32), (100, 25), (8, 8)])
def test_blocks_fit_a_terminal_and_keep_the_sign(side: int, columns: int) -> None:
    values = np.zeros((1, 1, side, side), np.float32)
    values[0, 0, 0, : side // 2] = 1.0
    values[0, 0, -1, :] = -1.0
    blocks = shaded_blocks(values)
    assert len(blocks[0]) == columns
    assert blocks[0][0][1] == "red"
    assert all(len(text) == 2 for row in blocks for text, _ in row)
    assert any(not sign for row in blocks for _, sign in row)


def test_a_graph_is_read_layer_by_layer(tmp_path: Path) -> None:
    network = Classic(28, 28, 1, 10).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.fill_(0.1)  # the exporter leaves out what is zero
    write_onnx(network, (torch.zeros(2, 1, 28, 28),), tmp_path / "m.onnx", inputs=("image",), outputs=("scores",))
    layers = inspect_graph(tmp_path / "m.onnx")
    counted = [layer.parameters for layer in layers if layer.parameters]
    assert counted[:2] == [320, 18_496]
    assert sum(counted) == 225_034
    convolution = next(layer for layer in layers if layer.operator == "Conv")
    assert convolution.shape[1:] == (32, 26, 26)
    assert convolution.size_bytes == 4 * 320
