"""Names of poolings, apart from their networks: settings are read without PyTorch."""

from __future__ import annotations

from typing import Literal

PoolingName = Literal["auto", "first", "last", "max", "mean", "mean_sqrt_len", "weighted_mean"]
"""`auto` is what the encoder's folder says."""
