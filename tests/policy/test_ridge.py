"""Ridge regression, one observation at a time, against the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy import kernels
from uniscale_integrations.policy import ridge as module
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.ridge import Product, RidgeRegression


class Plain:
    """`A` and `b` as they are written down; the ridge is made whole after as many observations as the fast one does it."""

    def __init__(self, fast: RidgeRegression) -> None:
        self.ridge, self.discount = fast.ridge, fast.discount
        self.a, self.b = np.diag(fast.ridge), np.zeros((fast.targets, fast.dim))
        self.left = 1.0
        self.since, self.period = 0, fast._period

    def observe(self, x: Array, values: Array) -> None:
        values = np.where(np.isnan(values), self.theta @ x, values)
        self.a = self.discount * self.a + np.outer(x, x)
        self.b = self.discount * self.b + np.outer(values, x)
        self.left, self.since = self.left * self.discount, self.since + 1
        if self.since == self.period:
            self.a += (1 - self.left) * np.diag(self.ridge)
            self.left, self.since = 1.0, 0

    @property
    def theta(self) -> Array:
        return np.asarray(np.linalg.solve(self.a, self.b.T).T, np.float64)


@pytest.fixture(params=[True, False], ids=["one thread", "threads"], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "one_thread", lambda: request.param)
    monkeypatch.setattr(kernels, "MATRIX_VECTOR", 40)
    monkeypatch.setattr(kernels, "MATRIX_MATRIX", 600)


def agree(fast: RidgeRegression, plain: Plain, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(fast.theta, plain.theta, rtol=0, atol=tolerance)
    np.testing.assert_allclose(fast.matrix, plain.a, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(fast.sums, plain.b, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(fast.inverse, np.linalg.inv(plain.a), rtol=tolerance, atol=tolerance)
    rows = np.random.default_rng(1).standard_normal((3, fast.dim))
    widths = np.sqrt(np.einsum("nd,de,ne->n", rows, np.linalg.inv(plain.a), rows))
    np.testing.assert_allclose(fast.widths(rows), widths, rtol=0, atol=tolerance)


streams = st.tuples(
    st.integers(1, 12),
    st.integers(1, 3),
    st.sampled_from([0.01, 1.0, 30.0]),
    st.sampled_from([1.0, 0.999, 0.97, 0.5]),
    st.integers(0),
)


@given(streams, st.lists(st.integers(1, 90), min_size=1, max_size=4))
@settings(max_examples=60)
def test_any_stream_gives_what_the_formula_gives(stream: tuple[int, int, float, float, int], bursts: list[int]) -> None:
    dim, targets, ridge, discount, seed = stream
    rng = np.random.default_rng(seed)
    diagonal = ridge * rng.uniform(0.5, 2.0, dim) if seed % 2 else ridge
    one, many = (RidgeRegression(dim, targets, diagonal, discount) for _ in range(2))
    plain = Plain(one)
    for size in bursts:
        rows, values = rng.standard_normal((size, dim)), rng.random((size, targets))
        values[rng.random((size, targets)) < 0.05] = np.nan
        for x, value in zip(rows, values, strict=True):
            one.observe(x, value)
            plain.observe(x, value)
        many.observe_many(rows, values)
        agree(one, plain)
        agree(many, plain)


@given(streams, st.integers(0, 60))
@settings(max_examples=30)
def test_products_are_contracted_as_they_are_multiplied_out(stream: tuple[int, int, float, float, int], count: int) -> None:
    m, targets, ridge, discount, seed = stream
    rng, n = np.random.default_rng(seed), 3
    fast = RidgeRegression(m * n, targets, ridge, discount)
    for _ in range(count):
        fast.observe(rng.standard_normal(m * n), rng.random(targets))
    query, rest = rng.standard_normal(n), int(rng.integers(0, m))
    used = m - rest
    lift = np.zeros((m * n, used + rest * n))
    lift[: used * n, :used] = np.kron(np.eye(used), query[:, None])
    lift[used * n :, used:] = np.eye(rest * n)
    whole = lift.T @ fast.inverse @ lift
    raw = fast.contract(query, used * n)
    np.testing.assert_allclose(raw.both, whole[:used, :used], atol=1e-9)
    np.testing.assert_allclose(raw.across, whole[:used, used:], atol=1e-9)
    np.testing.assert_allclose(raw.squares, whole.diagonal()[used:], atol=1e-9)


@given(streams)
@settings(max_examples=30)
def test_a_revised_value_counts_as_if_it_had_always_been_so(stream: tuple[int, int, float, float, int]) -> None:
    dim, targets, ridge, discount, seed = stream
    rng = np.random.default_rng(seed)
    revised, right = (RidgeRegression(dim, targets, ridge, discount) for _ in range(2))
    rows, old, new = rng.standard_normal((40, dim)), rng.random((40, targets)), rng.random(targets)
    for place, x in enumerate(rows):
        revised.observe(x, old[place])
        right.observe(x, new if place == 10 else old[place])
    revised.revise(rows[10], new - old[10], weight=discount**29)
    np.testing.assert_allclose(revised.theta, right.theta, atol=1e-9)


@given(streams, st.integers(0, 150), st.integers(0, 150))
@settings(max_examples=30)
def test_a_state_goes_on_as_if_it_had_never_been_stored(
    stream: tuple[int, int, float, float, int], before: int, after: int
) -> None:
    dim, targets, ridge, discount, seed = stream
    rng = np.random.default_rng(seed)
    whole = RidgeRegression(dim, targets, ridge, discount)
    for _ in range(before):
        whole.observe(rng.standard_normal(dim), rng.random(targets))
    stored = RidgeRegression.from_state(whole.state())
    for _ in range(after):
        x, values = rng.standard_normal(dim), rng.random(targets)
        whole.observe(x, values)
        stored.observe(x, values)
    np.testing.assert_allclose(stored.theta, whole.theta, atol=1e-9)
    np.testing.assert_allclose(stored.inverse, whole.inverse, rtol=1e-9, atol=1e-9)


def test_many_discounted_observations_of_badly_scaled_features_leave_it_sound() -> None:
    # Each block of features is seen in turns only, so that forgetting has time to take the others to nothing.
    rng, dim = np.random.default_rng(0), 12
    scales = np.logspace(-4, 4, dim)
    fast = RidgeRegression(dim, 1, 1.0, 0.999)
    true = rng.standard_normal(dim) / scales
    for block in range(6):
        rows = rng.standard_normal((5_000, dim)) * scales
        rows[:, (block % 3) :: 3] = 0.0
        fast.observe_many(rows, (rows @ true)[:, None] + 0.1 * rng.standard_normal((5_000, 1)))
    matrix, sums = fast.matrix, fast.sums
    np.testing.assert_allclose(fast.theta[0] * scales, np.linalg.solve(matrix, sums[0]) * scales, atol=1e-6)
    assert np.linalg.eigvalsh(fast.inverse).min() > 0
    assert fast.widths(np.eye(dim)).max() <= np.sqrt(2) * (1 + 1e-9), "no width may exceed that of half the ridge"


def test_forgetting_never_widens_beyond_half_the_ridge() -> None:
    fast = RidgeRegression(3, discount=0.9)
    for _ in range(5_000):
        fast.observe(np.array([1.0, 1.0, 0.0]), np.ones(1))
        assert fast.widths(np.eye(3)).max() <= np.sqrt(2) + 1e-9


def test_what_cannot_be_learned_is_refused_and_changes_nothing() -> None:
    fast = RidgeRegression(2, 2, discount=0.9)
    fast.observe(np.ones(2), np.ones(2))
    before = fast.state()
    for x, values, message in (
        (np.ones(3), np.ones(2), r"x must have the shape \(2,\), got \(3,\)"),
        (np.array([1.0, np.nan]), np.ones(2), "x holds a value that is not finite.*nan"),
        (np.array([1.0, 1e200]), np.ones(2), "too large to square: .*1e.200"),
        (np.ones(2), np.array([np.inf, 1.0]), "a value to learn is infinite"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            fast.observe(x, values)
        with pytest.raises(ConfigurationError):
            fast.observe_many(x[None], values[None])
    for name, array in fast.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "dim must be a whole number"),
        ({"targets": 0}, "targets must be"),
        ({"ridge": 0.0}, "ridge must be a number above 0"),
        ({"ridge": float("nan")}, "ridge must be"),
        ({"discount": 1.5}, r"discount must lie in \(0, 1\]"),
        ({"discount": 0.0}, "discount must lie"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RidgeRegression(**{"dim": 2} | arguments)  # type: ignore[arg-type]


def test_a_poisoned_state_is_refused_with_its_row() -> None:
    state = RidgeRegression(3).state()
    state["A"][1, 2] = np.nan
    with pytest.raises(StateError, match="A holds a value that is not finite in row 1"):
        RidgeRegression.from_state(state)
    state = RidgeRegression(3).state()
    with pytest.raises(StateError, match=r"A has the shape \(3, 3\), b \(1, 2\), ridge \(3,\)"):
        RidgeRegression.from_state(state | {"b": np.zeros((1, 2))})
    state["A"][2, 2] = -1.0
    with pytest.raises(StateError, match="not positive definite from row 2 on"):
        RidgeRegression.from_state(state)


@pytest.mark.parametrize("own", [0, 4])
@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_what_a_contraction_computed_is_used_again_only_where_it_holds(own: int, discount: float) -> None:
    rng, (m, n) = np.random.default_rng(0), (3, 5)
    again, plain = (RidgeRegression(m * n + own, 2, discount=discount) for _ in range(2))
    queries = rng.standard_normal((4, n))
    for turn in range(200):
        action, query, place = rng.standard_normal(m), queries[turn % 4].copy(), m * n + turn % own if own else None
        if turn % 3:
            again.contract(query, m * n)
            if turn % 5 == 0:
                query[0] += 1.0
        x = np.concatenate([np.multiply.outer(action, query).ravel(), np.zeros(own)])
        if place is not None:
            x[place] = 1.0
        values = rng.random(2)
        again.observe(x, values, Product(action, query, place))
        plain.observe(x, values)
        if turn % 40 == 7:
            rows = rng.standard_normal((20, again.dim))
            for each in (again, plain):
                each.observe_many(rows, rows[:, :2])
    np.testing.assert_allclose(again.theta, plain.theta, atol=1e-12)
    np.testing.assert_allclose(again.inverse, plain.inverse, atol=1e-12)


def test_a_state_stored_by_columns_learns_on() -> None:
    rng = np.random.default_rng(0)
    whole = RidgeRegression(5)
    rows, values = rng.standard_normal((100, 5)), rng.standard_normal((100, 1))
    whole.observe_many(rows[:50], values[:50])
    later = RidgeRegression.from_state({name: np.asfortranarray(array) for name, array in whole.state().items()})
    for half in (whole, later):
        half.observe_many(rows[50:], values[50:])
    np.testing.assert_allclose(later.matrix, np.eye(5) + rows.T @ rows)
    np.testing.assert_allclose(later.theta, whole.theta)
    np.testing.assert_allclose(later.inverse, np.linalg.inv(later.matrix))


def test_kernels_multiply() -> None:
    rng = np.random.default_rng(0)
    for rows in (1, 3, 17, 40, 97):
        matrix, vector, other = rng.standard_normal((rows, 5)), rng.standard_normal(5), rng.standard_normal((5, 4))
        stack = rng.standard_normal((2, 5, rows))
        np.testing.assert_allclose(kernels.vector_times_stack(vector, stack), [vector @ stack[0], vector @ stack[1]])
        np.testing.assert_allclose(kernels.times_matrix(matrix, other), matrix @ other)
        np.testing.assert_allclose(kernels.times_vector(matrix, vector), matrix @ vector)
        np.testing.assert_allclose(kernels.vector_times(vector, stack[0]), vector @ stack[0])
        whole = matrix.copy()
        kernels.add_rank_one(whole, matrix[:, 0].copy(), vector)
        np.testing.assert_allclose(whole, matrix + np.outer(matrix[:, 0], vector))
        square = matrix @ matrix.T
        less = square.copy()
        kernels.add_products(less, np.ascontiguousarray(matrix.T), -1.0)
        np.testing.assert_allclose(less, np.zeros((rows, rows)), atol=1e-12)
        np.testing.assert_allclose(kernels.symmetric_times_vector(square, matrix[:, 0].copy()), square @ matrix[:, 0])


def test_the_inverse_is_computed_anew_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFACTORISE_EVERY", 10)
    fast = RidgeRegression(2)
    for _ in range(9):
        fast.observe(np.array([1.0, 0.5]), np.ones(1))
    fast._inverse += 0.5
    fast.observe(np.array([1.0, 0.5]), np.ones(1))
    np.testing.assert_allclose(fast.inverse, np.linalg.inv(fast.matrix))
