"""Fits against the formulas written out: both forms of EASE, cosine, the walk, factors, features."""

from __future__ import annotations

import numpy as np
import polars
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.errors import DataError
from glassworks.families._recommendation.ease import fit_dual, fit_primal
from glassworks.families._recommendation.factorization import fit_factors
from glassworks.families._recommendation.features import item_features
from glassworks.families._recommendation.neighbors import fit_item_neighbors, fit_user_neighbors, fit_walk

Dense = NDArray[np.float64]


def likes(users: int = 60, items: int = 150, seed: int = 0) -> csr_array:
    """With a skew, as in life; nobody likes the last three items."""
    generator = np.random.default_rng(seed)
    share = 0.5 / (1 + np.arange(items) / 10)
    dense = generator.random((users, items)) < share
    dense[:, -3:] = False
    return csr_array(dense.astype(np.float32))


def unseen(scores: NDArray[np.float32], rows: csr_array) -> NDArray[np.float32]:
    found = scores.copy()
    found[rows.nonzero()] = 0
    return found


def ease_written_out(rows: Dense, regularization: float) -> Dense:
    inverse = np.linalg.inv(rows.T @ rows + regularization * np.eye(rows.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


@pytest.mark.parametrize("shape", [(60, 150), (150, 60), (20, 20)])
@pytest.mark.parametrize("regularization", [5.0, 200.0])
def test_both_forms_of_ease_equal_the_formula(shape: tuple[int, int], regularization: float) -> None:
    rows = likes(*shape)
    wanted = rows.toarray() @ ease_written_out(rows.toarray().astype(np.float64), regularization)
    for fitted in (fit_dual(rows, regularization), fit_primal(rows, regularization)):
        assert np.allclose(unseen(fitted.scores(rows), rows), unseen(wanted.astype(np.float32), rows), atol=1e-5)
        assert np.allclose(fitted.scores(rows), wanted, atol=1e-4), "an item says nothing for itself"


def test_features_stand_under_the_users_in_both_forms() -> None:
    rows = likes()
    features = csr_array((np.random.default_rng(1).random((4, 150)) < 0.3).astype(np.float32))
    both = np.vstack([rows.toarray(), features.toarray()]).astype(np.float64)
    wanted = (rows.toarray() @ ease_written_out(both, 50.0)).astype(np.float32)
    for fitted in (fit_dual(rows, 50.0, features, tuple("abcd")), fit_primal(rows, 50.0, features)):
        assert np.allclose(unseen(fitted.scores(rows), rows), unseen(wanted, rows), atol=1e-5)


def test_item_neighbors_are_the_nearest_by_cosine() -> None:
    rows = likes()
    dense = rows.toarray().astype(np.float64)
    norms = np.sqrt(dense.sum(axis=0))
    cosine = dense.T @ dense / (norms[:, None] * norms + 10 + 1e-30)
    np.fill_diagonal(cosine, 0)
    least = -np.partition(-cosine, 5, axis=0)[5]
    cosine[cosine < least] = 0
    assert np.allclose(fit_item_neighbors(rows, 5, 10.0).scores(rows), dense @ cosine, atol=1e-5)


def test_user_neighbors_are_the_nearest_by_cosine() -> None:
    rows = likes()
    dense = rows.toarray().astype(np.float64)
    norms = np.sqrt(dense.sum(axis=1))
    cosine = dense @ dense.T / (norms[:, None] * norms + 1e-9)
    shared = dense @ dense.T
    cosine[shared >= dense.sum(axis=1)[None]] = 0
    least = -np.partition(-cosine, 7, axis=1)[:, 7:8]
    cosine[cosine <= least] = 0
    assert np.allclose(fit_user_neighbors(rows, 7, 0.0, rare=False).scores(rows), cosine @ dense, atol=1e-4)


def test_the_walk_goes_over_users() -> None:
    rows = likes()
    dense = rows.toarray().astype(np.float64)
    of_users, of_items = (np.maximum(dense.sum(axis=axis, keepdims=True), 1) for axis in (1, 0))
    onward, back = (dense / of_users) ** 0.8, (dense / of_items) ** 0.8
    start = dense / of_users
    wanted = (start @ back.T) @ onward / of_items**0.4
    assert np.allclose(fit_walk(rows, 0.8, 0.4, None).scores(rows), wanted, atol=1e-5)
    assert (fit_walk(rows, 0.8, 0.4, 3).scores(rows) <= wanted + 1e-5).all()


def test_factors_of_users_are_those_of_the_library() -> None:
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    rows = likes()
    settings = {"factors": 8, "alpha": 2.0, "regularization": 0.1, "iterations": 5}
    fitted = fit_factors(rows, seed=3, threads=1, **settings)  # type: ignore[arg-type]
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(random_state=3, num_threads=1, **settings)
        model.fit(csr_matrix(rows), show_progress=False)
        users = model.recalculate_user(np.arange(60), csr_matrix(rows))
    assert np.allclose(fitted.scores(rows), users @ model.item_factors.T, atol=1e-4)


def test_the_same_seed_gives_the_same_factors() -> None:
    one, two, other = (
        fit_factors(likes(), factors=8, alpha=1.0, regularization=0.1, iterations=3, seed=seed, threads=threads)
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    )
    assert one.arrays()["factors"].tobytes() == two.arrays()["factors"].tobytes()
    assert one.arrays()["factors"].tobytes() != other.arrays()["factors"].tobytes()


def described(**columns: list[object]) -> Interactions:
    count = max(map(len, columns.values()), default=3)
    table = polars.DataFrame({"id": range(count), **columns}, strict=False)
    return Interactions(
        source="test",
        users=polars.Series([1]),
        items=table["id"],
        user=np.zeros(1, np.int32),
        item=np.zeros(1, np.int32),
        time=None,
        weight=np.ones(1, np.float32),
        liked=np.ones(1, np.bool_),
        table=table,
        columns=ItemColumns(
            categories=("kind",) if "kind" in columns else (),
            numbers=("price",) if "price" in columns else (),
            texts=("text",) if "text" in columns else (),
        ),
        fingerprint="test",
    )


def test_features_have_names_and_length_one() -> None:
    log = described(kind=[["a", "b"], ["a"], None], price=[1.0, 2.0, None], text=["red shoe", "blue shoe", None])
    features = item_features(log, 100)
    lengths = np.sqrt(features.rows.power(2).sum(axis=1))
    assert np.allclose(lengths, [1, 1, 0])
    assert {"kind: a", "kind: b", "price: about 1", "text: shoe", "text: blue"} <= set(features.names)
    assert features.rows.shape == (3, len(features.names))


def test_a_rare_category_says_more() -> None:
    features = item_features(described(kind=[["a", "b"], ["a"], ["a"]]), 100)
    weight = dict(zip(features.names, features.rows[[0]].toarray()[0], strict=True))
    assert weight["kind: b"] > weight["kind: a"]


def test_near_numbers_are_alike() -> None:
    features = item_features(described(price=[float(price) for price in range(50)]), 100)
    alike = (features.rows @ features.rows.T).toarray()
    assert alike[20, 22] > alike[20, 26] > alike[20, 40] == 0


def test_items_of_which_nothing_is_known() -> None:
    with pytest.raises(DataError, match="says nothing of what items are") as caught:
        item_features(described(), 100)
    assert "data.categories" in caught.value.mend
