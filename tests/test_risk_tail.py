"""What a statistic rests on is kept whole, however the stream comes and however long it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.risk.statistics import expected_shortfall, probability, shortfall, shortfall_added
from poundlock.risk.tail import HitsKeeper, TailKeeper


def kept(losses, weights, level, size, order=None):
    keeper = TailKeeper(level, len(losses))
    starts = range(0, len(losses), size)
    for start in starts if order is None else [list(starts)[k] for k in order]:
        rows = np.arange(start, min(start + size, len(losses)))
        keeper.add(rows, losses[rows], weights[rows])
    return keeper.gathered()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.5, 0.9, 0.99]), st.booleans(), st.booleans())
def test_blocks_give_what_the_whole_gives(seed, level, weighted, ties):
    draw = np.random.default_rng(seed)
    losses = draw.integers(0, 30, 3_000).astype(float) if ties else draw.standard_normal(3_000)
    weights = draw.uniform(0.2, 1.8, 3_000) if weighted else np.ones(3_000)
    whole = expected_shortfall(losses, level, weights=weights)
    blocks = shortfall(kept(losses, weights, level, 128, order=draw.permutation(24)))
    assert blocks.value == pytest.approx(whole.value, rel=1e-12)
    assert blocks.standard_error == pytest.approx(whole.standard_error, rel=1e-9)


def test_a_long_stream_keeps_little_and_loses_nothing():
    draw = np.random.default_rng(2)
    keeper, everything = TailKeeper(0.999, 2_000_000), []
    for first in range(0, 2_000_000, 10_000):
        losses = draw.exponential(1.0, 10_000)
        everything.append(losses)
        keeper.add(first + np.arange(10_000), losses, np.ones(10_000))
        assert keeper._waiting < 100_000
    tail = keeper.gathered()
    assert len(tail.losses) <= 2_001
    losses = np.concatenate(everything)
    assert shortfall(tail).value == pytest.approx(np.sort(losses)[-2_000:].mean(), rel=1e-12)
    np.testing.assert_array_equal(losses[tail.draws], tail.losses)


def test_a_saved_tail_goes_on_where_it_was():
    draw = np.random.default_rng(3)
    losses, weights = draw.standard_normal(5_000), draw.uniform(0.5, 1.5, 5_000)
    first, second = TailKeeper(0.99, 5_000), TailKeeper(0.99, 5_000)
    hits, again = HitsKeeper(5_000), HitsKeeper(5_000)
    for a, b in ((0, 2_000), (2_000, 5_000)):
        rows = np.arange(a, b)
        first.add(rows, losses[rows], weights[rows])
        hits.add(rows, losses[rows] > 2.0, weights[rows])
        if a == 0:
            second.restore(first.state())
            again.restore(hits.state())
        else:
            second.add(rows, losses[rows], weights[rows])
            again.add(rows, losses[rows] > 2.0, weights[rows])
    assert shortfall(first.gathered()) == shortfall(second.gathered())
    assert probability(hits.gathered()) == probability(again.gathered())


def test_the_error_of_a_rise_is_that_of_the_difference_draw_by_draw():
    draw = np.random.default_rng(4)
    base = draw.standard_normal(50_000)
    more = base + 0.01 * draw.standard_normal(50_000)
    ones = np.ones(50_000)
    rise = shortfall_added(kept(more, ones, 0.99, 1_000), kept(base, ones, 0.99, 1_000))
    assert rise.standard_error < 0.1 * shortfall(kept(base, ones, 0.99, 1_000)).standard_error


def test_weighted_intervals_cover_at_their_level():
    """Normal losses drawn around 2: 95 % nominal lands in 93 to 97 %; and far fewer draws are needed."""
    from scipy.stats import norm

    level, draw, shift = 0.999, np.random.default_rng(6), 3.0
    truth = norm.pdf(norm.ppf(level)) / (1 - level)
    inside, effective = 0, []
    for _ in range(1_000):
        x = draw.standard_normal(4_000) + shift * (draw.random(4_000) > 0.1)
        weights = 1.0 / (0.1 + 0.9 * np.exp(shift * x - 0.5 * shift**2))
        found = expected_shortfall(x, level, weights=weights)
        inside += found.low <= truth <= found.high
        effective.append(found.effective)
    assert 0.93 <= inside / 1_000 <= 0.97
    assert np.median(effective) > 30 * 4_000
