"""How good a registered model is, against another version too, and whether it may take another one's name."""

from __future__ import annotations

from glassworks.comparison.measuring import evaluate as evaluate
