"""EASE of RecTools on likes of a file, timed; runs in an environment of its own, with `pip install rectools`.

    PYTHON benchmarks/peers/rectools_ease.py LIKES.npz SCORES.npz

`LIKES.npz` holds `user`, `item` (counted from 0, none left out) and `regularization`; scores of the first users are
written to compare.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel

SHOWN = 50


def main(source: str, target: str) -> None:
    """Fit, and recommend ten items to everybody."""
    likes = np.load(source, allow_pickle=False)
    table = pd.DataFrame({Columns.User: likes["user"], Columns.Item: likes["item"]})
    table[Columns.Weight], table[Columns.Datetime] = 1.0, pd.Timestamp(0)
    dataset = Dataset.construct(table)
    model = EASEModel(regularization=float(likes["regularization"]))
    began = time.perf_counter()
    model.fit(dataset)
    fitted = time.perf_counter() - began
    model.recommend(np.unique(likes["user"]), dataset, k=10, filter_viewed=True)
    answered = time.perf_counter() - began
    rows = dataset.get_user_item_matrix(include_weights=True)
    items = dataset.item_id_map.convert_to_internal(np.arange(rows.shape[1]))
    users = dataset.user_id_map.convert_to_internal(np.arange(SHOWN))
    np.savez(target, scores=(rows[users] @ model.weight)[:, items].astype(np.float32))
    sys.stdout.write(json.dumps({"fit_s": fitted, "fit_and_recommend_s": answered}))


if __name__ == "__main__":
    main(*sys.argv[1:])
