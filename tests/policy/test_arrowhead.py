"""Ridge regression in blocks, against the same with `A` whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy import kernels, product
from uniscale_integrations.policy.arrowhead import ArrowheadRegression
from uniscale_integrations.policy.blocks import BORDER, Blocks
from uniscale_integrations.policy.heads import from_whole, whole_head
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.product import Products
from uniscale_integrations.policy.ridge import RidgeRegression


@pytest.fixture(params=[True, False], ids=["one thread", "threads"], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "one_thread", lambda: request.param)
    monkeypatch.setattr(kernels, "MATRIX_VECTOR", 40)
    monkeypatch.setattr(kernels, "MATRIX_MATRIX", 600)


class Setting(NamedTuple):
    """What a regression is set up with; the border's coefficients may stand anywhere."""

    of: NDArray[np.int64]
    targets: int
    discount: float
    seed: int

    def pair(self) -> tuple[ArrowheadRegression, RidgeRegression]:
        ridge = 10.0 ** np.random.default_rng(self.seed).uniform(-1.0, 1.0, len(self.of))
        blocks = Blocks(self.of)
        return (
            ArrowheadRegression(blocks, self.targets, ridge, self.discount),
            RidgeRegression(blocks.dim, self.targets, ridge, self.discount),
        )


@st.composite
def setups(draw: st.DrawFn) -> Setting:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    of = [BORDER] * draw(st.integers(1, 5)) + [block for block, size in enumerate(sizes) for _ in range(size)]
    of = draw(st.permutations(of)) if draw(st.booleans()) else of
    return Setting(np.array(of), draw(st.integers(1, 2)), draw(st.sampled_from([1.0, 0.999, 0.9])), draw(st.integers(0, 1 << 32)))


STEPS = st.lists(
    st.sampled_from(["observe", "observe", "observe", "many", "burst", "revise", "forget", "store", "parts"]), max_size=12
)


def row_of(rng: np.random.Generator, blocks: Blocks, block: int | None = None) -> Array:
    """An observation in one block, which may be of the border alone."""
    block = int(rng.integers(-1, len(blocks.places))) if block is None else block
    row: Array = rng.standard_normal(blocks.dim) * ((blocks.of == block) | (blocks.of == BORDER))
    return row


def assert_equal(fast: RidgeRegression, whole: RidgeRegression, tolerance: float = 1e-9) -> None:
    rows = np.random.default_rng(1).standard_normal((3, whole.dim))
    for name in ("theta", "matrix", "sums", "inverse"):
        np.testing.assert_allclose(getattr(fast, name), getattr(whole, name), rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(fast.widths(rows), whole.widths(rows), atol=tolerance)
    np.testing.assert_allclose(fast.first(whole.dim - 1), whole.first(whole.dim - 1), atol=tolerance)
    np.testing.assert_allclose(fast.first(1), whole.first(1), atol=tolerance)


@given(setups(), STEPS)
@settings(max_examples=40, deadline=None)
def test_whatever_happens_it_is_what_the_whole_would_be(setup: Setting, steps: list[str]) -> None:
    fast, whole = setup.pair()
    both: list[RidgeRegression] = [fast, whole]
    blocks, rng = fast.blocks, np.random.default_rng(setup.seed)
    for step in steps:
        count = {"burst": 80, "many": 15}.get(step, 1)
        rows = np.stack([row_of(rng, blocks) for _ in range(count)])
        values = rng.random((count, setup.targets))
        if step == "revise":
            for each in both:
                each.revise(rows[0], values[0], 0.7)
        elif step == "forget":
            for each in both:
                each.forget(0.3)
        elif step == "store":
            both[0] = from_whole(blocks, both[0].state())
        elif step == "parts":
            both = [from_whole(blocks, both[1].state()), RidgeRegression.from_state(whole_head(both[0].state()))]
        elif step == "many":
            for each in both:
                each.observe_many(rows, values)
        else:
            values[rng.random(values.shape) < 0.1] = np.nan
            for row, value in zip(rows, values, strict=True):
                found, expected = (each.observe(row, value) for each in both)
                np.testing.assert_allclose(found.errors, expected.errors, atol=1e-9)
                assert found.leverage == pytest.approx(expected.leverage, abs=1e-9)
        assert isinstance(both[0], ArrowheadRegression)
        assert_equal(both[0], both[1])


class Grid(NamedTuple):
    """Actions in groups of several each, the last `codes` of their features the groups' codes."""

    actions: Array
    codes: int
    own: bool
    seed: int

    def products(self, n: int) -> tuple[Products, Products]:
        """In blocks, and whole."""
        return Products(self.actions, n, own=self.own, codes=self.codes), Products(self.actions, n, own=self.own)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    counts, seed = draw(st.lists(st.integers(1, 3), min_size=2, max_size=5)), draw(st.integers(0, 1 << 32))
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    common = rng.standard_normal((len(groups), draw(st.integers(1, 4))))
    return Grid(np.concatenate([common, np.eye(len(counts))[groups]], axis=1), len(counts), draw(st.booleans()), seed)


@given(grids(), st.integers(1, 4), st.lists(st.integers(0, 25), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_products_expect_and_are_as_unsure_as_with_the_whole(grid: Grid, n: int, bursts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "MIN_GROUPS", 2)
        patch.setattr(product, "MAX_SHARE", np.inf)
        blocks, whole = grid.products(n)
        assert blocks.blocks is not None
        assert whole.blocks is None
        rng = np.random.default_rng(grid.seed)
        ridge = rng.uniform(0.5, 20.0, whole.dim)
        fast, plain = blocks.regression(2, ridge, 0.99), whole.regression(2, ridge, 0.99)
        query = rng.standard_normal(n)
        for burst in bursts:
            for _ in range(burst):
                action, values = int(rng.integers(len(whole))), rng.random(2)
                query = rng.standard_normal(n) if rng.random() < 0.5 else query
                blocks.observe(fast, action, query, values)
                whole.observe(plain, action, query, values)
                if rng.random() < 0.5:
                    np.testing.assert_allclose(blocks.widths(fast, query), whole.widths(plain, query), atol=1e-9)
            np.testing.assert_allclose(blocks.widths(fast, query), whole.widths(plain, query), atol=1e-9)
            np.testing.assert_allclose(blocks.expect(fast, query), whole.means(plain.theta, query), atol=1e-9)
            np.testing.assert_allclose(blocks.means(fast.theta, query), whole.means(plain.theta, query), atol=1e-9)
            for mine, theirs in zip(
                fast.contract(query, n * grid.actions.shape[1]), plain.contract(query, n * grid.actions.shape[1]), strict=True
            ):
                np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_few_groups_and_features_that_are_no_codes_are_kept_whole() -> None:
    many = product.MIN_GROUPS
    codes = np.concatenate([np.ones((many, 1)), np.eye(many)], axis=1)
    assert Products(codes, 3, codes=many).blocks is not None
    assert Products(codes[:, :-1], 3, codes=many - 1).blocks is None, "so few"
    assert Products(codes[:, 1:], 3, codes=many).blocks is None, "nothing in common"
    assert Products(codes * 2.0, 3, codes=many).blocks is None, "no codes"
    uneven = np.concatenate([codes, np.repeat(codes[:1], 400, axis=0)])
    assert Products(uneven, 3, own=True, codes=many).blocks is None, (
        "filled up to the longest they would take more than the whole"
    )


def test_twenty_thousand_observations_leave_it_as_exact_as_the_formula() -> None:
    of = np.array([BORDER] * 4 + [block for block in range(6) for _ in range(3)])
    rng, blocks = np.random.default_rng(0), Blocks(of)
    fast = ArrowheadRegression(blocks, 1, rng.uniform(0.5, 50.0, blocks.dim))
    matrix, sums = np.diag(fast.ridge), np.zeros(blocks.dim)
    for turn in range(20_000):
        row, value = row_of(rng, blocks, int(rng.integers(6))), rng.standard_normal(1)
        fast.observe(row, value)
        matrix += np.outer(row, row)
        sums += value * row
        if turn % 997 == 0 or turn == 19_999:
            np.testing.assert_allclose(fast.theta[0], np.linalg.solve(matrix, sums), atol=1e-11)
            np.testing.assert_allclose(fast.inverse, np.linalg.inv(matrix), atol=1e-11)
    np.testing.assert_allclose(fast.matrix, matrix, rtol=1e-11)


@pytest.mark.parametrize("discount", [1.0, 0.999])
def test_features_far_apart_in_scale_and_all_but_dependent_leave_it_sound(discount: float) -> None:
    # What each block has of its own is all but what the border says, and features span eight orders of magnitude.
    of = np.array([BORDER] * 4 + [block for block in range(3) for _ in range(4)])
    rng, blocks, scales = np.random.default_rng(0), Blocks(of), np.tile(np.logspace(-4, 4, 4), 4)
    fast = ArrowheadRegression(blocks, 1, 1.0, discount)
    whole = RidgeRegression(blocks.dim, 1, 1.0, discount)
    truth = rng.standard_normal(blocks.dim) / scales
    for turn in range(6_000):
        block, common = int(rng.integers(3)), rng.standard_normal(4)
        row = np.zeros(blocks.dim)
        row[:4], row[of == block] = common, common + 1e-5 * rng.standard_normal(4)
        row *= scales
        value = row @ truth + 0.1 * rng.standard_normal(1)
        for each in (fast, whole):
            each.observe(row, value)
        if turn % 500 == 499:
            matrix, sums = fast.matrix / np.outer(scales, scales), fast.sums[0] / scales
            questions = np.stack([row_of(rng, blocks) for _ in range(8)])
            expected = questions @ np.linalg.solve(matrix, sums)
            widths = np.sqrt(np.einsum("kd,kd->k", questions, np.linalg.solve(matrix, questions.T).T))
            found, found_widths = questions * scales @ fast.theta[0], fast.widths(questions * scales)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(found_widths, widths, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fast.matrix, whole.matrix, rtol=1e-9)


def test_what_cannot_be_learned_is_refused_and_changes_nothing() -> None:
    blocks = Blocks(np.array([BORDER, 0, 1, 1]))
    fast = ArrowheadRegression(blocks, 2, discount=0.9)
    fast.observe(np.array([1.0, 0.0, 1.0, 2.0]), np.ones(2))
    before = fast.state()
    for x, values, message in (
        (np.ones(4), np.ones(2), "an observation must be 0 in all blocks but one"),
        (np.ones(3), np.ones(2), r"x must have the shape \(4,\), got \(3,\)"),
        (np.array([1.0, np.nan, 0.0, 0.0]), np.ones(2), "x holds a value that is not finite.*nan"),
        (np.array([1.0, 1.0, 0.0, 0.0]), np.array([np.inf, 1.0]), "a value to learn is infinite"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            fast.observe(x, values)
    with pytest.raises(ConfigurationError, match="all blocks but one"):
        fast.revise(np.ones(4), np.ones(2))
    for name, array in fast.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_coefficients_need_a_border_and_whole_blocks() -> None:
    for of in ([0, 0, 1], [BORDER, BORDER], [BORDER, 0, 2], [-2, BORDER, 0]):
        with pytest.raises(ConfigurationError, match="a border and blocks from 0 on"):
            Blocks(np.array(of))


def test_an_unsound_state_is_refused_with_what_is_wrong() -> None:
    blocks = Blocks(np.array([BORDER, 0, 1, 1]))
    state = ArrowheadRegression(blocks).state()
    with pytest.raises(StateError, match=r"lacks A\.across"):
        ArrowheadRegression.from_state({name: array for name, array in state.items() if name != "A.across"})
    with pytest.raises(StateError, match=r"b \(1, 2\).*do not fit together"):
        ArrowheadRegression.from_state(state | {"b": np.zeros((1, 2))})
    broken = {name: array.copy() for name, array in state.items()}
    broken["A.own"][1, 1, 1] = -1.0
    with pytest.raises(StateError, match="not positive definite from row 3 on"):
        ArrowheadRegression.from_state(broken)
    broken["A.own"][1, 1, 1] = np.nan
    with pytest.raises(StateError, match=r"A\.own holds a value that is not finite in row 1"):
        from_whole(blocks, broken)


def test_what_couples_blocks_is_kept_whole() -> None:
    blocks = Blocks(np.array([BORDER, 0, 1, 1]))
    whole = RidgeRegression(4)
    whole.observe(np.array([1.0, 1.0, 0.0, 0.0]), np.ones(1))
    assert isinstance(from_whole(blocks, whole.state()), ArrowheadRegression)
    whole.observe(np.array([1.0, 1.0, 1.0, 0.0]), np.ones(1))
    kept = from_whole(blocks, whole.state())
    assert not isinstance(kept, ArrowheadRegression)
    assert_equal(kept, whole)
