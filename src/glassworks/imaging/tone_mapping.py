"""High dynamic range becomes what screens and models of 8 bits know: PQ and HLG (ITU-R BT.2100) as BT.709.

Light is linear on the way: 203 cd/m2 is white (BT.2408), what is brighter is rolled off by the curve of Mobius, as
FFmpeg's filter `tonemap=mobius` does, and colors of BT.2020 that BT.709 lacks are cut off (BT.2087).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

PQ, HLG = 16, 18
"""Transfer characteristics by their numbers in ITU-T H.273."""
NAMES = {PQ: "PQ", HLG: "HLG"}
_BT2020 = 9
_WHITE, _PEAK = 203.0, 1000.0
"""cd/m2 of white, and of the brightest that is told apart: the display that HLG is made for."""
_KNEE = 0.3
_LEVELS = 2**16
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # fmt: skip
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def mapped(pixels: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """uint16 H W 3 in a transfer of high dynamic range as uint8 H W 3 of BT.709."""
    light = _light(transfer)[pixels]
    if transfer == HLG:
        # The look of a display of 1000 cd/m2 (BT.2100, table 5: gamma 1.2).
        light *= np.maximum(light @ _LUMA, 1e-6)[:, :, None] ** np.float32(0.2)
        light *= np.float32(_PEAK / _WHITE)
    if primaries == _BT2020:
        light = np.maximum(light @ _TO_BT709.T, 0)
    brightest = light.max(axis=2, keepdims=True)
    light *= _rolled_off(brightest) / np.maximum(brightest, 1e-6)
    return _encoded()[np.rint(np.clip(light, 0, 1) * (_LEVELS - 1)).astype(np.uint16)]


@functools.cache
def _light(transfer: int) -> Floats:
    """Light of each code of 16 bits: of PQ over white, of HLG of the scene from 0 to 1."""
    code = np.linspace(0, 1, _LEVELS)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = code ** (1 / m2)
        nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        return (nits / _WHITE).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


def _rolled_off(values: Floats) -> Floats:
    """Linear up to the knee, then a curve of Mobius that ends at 1 for the peak."""
    peak, knee = _PEAK / _WHITE, _KNEE
    a = -(knee**2) * (peak - 1) / (knee**2 - 2 * knee + peak)
    b = (knee**2 - 2 * knee * peak + peak) / max(peak - 1, 1e-6)
    curve = (b**2 + 2 * b * knee + knee**2) / (b - a) * (values + a) / (values + b)
    return np.where(values <= knee, values, np.minimum(curve, 1)).astype(np.float32)


@functools.cache
def _encoded() -> NDArray[np.uint8]:
    """Levels of 8 bits of linear light in 16: the inverse of a display's gamma of 2.4 (BT.1886)."""
    return np.rint(255 * np.linspace(0, 1, _LEVELS) ** (1 / 2.4)).astype(np.uint8)


def is_high(frame: Any) -> bool:
    """Whether a decoded frame has high dynamic range."""
    return int(frame.color_trc or 0) in NAMES
