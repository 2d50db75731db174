"""Valuation functions one by one: within [0, 1], never rising with equity, with the corners that the papers state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.contagion import propagate
from poundlock.contagion.own import own_valuation
from poundlock.contagion.valuation import (
    clearing,
    default_costs,
    default_only,
    exponential_debtrank,
    linear_debtrank,
    merton,
)

FUNCTIONS = {
    "clearing": lambda e: clearing(e, 3.0, 1 / 7.0),
    "default costs": lambda e: default_costs(e, 3.0, 1 / 7.0, 10.0, 20.0, 0.6, 0.8),
    "default only": default_only,
    "linear": lambda e: linear_debtrank(e, 8.0, 1 / 8.0),
    "exponential": lambda e: exponential_debtrank(e, 8.0, 1 / 8.0, 3.0),
    "merton": lambda e: merton(e, 20.0, 0.2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_the_share_lost_lies_within_one_and_never_rises_with_equity(name: str, equity: float, more: float):
    poor, rich = FUNCTIONS[name](equity), FUNCTIONS[name](equity + more)
    assert 0.0 <= rich <= poor <= 1.0


def test_corners():
    assert clearing(0.0, 0.0, 0.1) == 0.0
    assert clearing(-5.0, 0.0, 0.1) == 0.5
    assert clearing(-5.0, 5.0, 0.1) == 0.0, "later ranks lose first"
    assert clearing(-1.0, 0.0, 0.0) == 0.0, "who owes nothing can lose nobody anything"
    assert default_costs(0.0, 0.0, 0.1, 10.0, 9.0, 0.5, 0.5) == 0.0, "default is strictly below zero"
    assert default_only(0.0) == 0.0
    assert default_only(-1e-300) == 1.0
    assert linear_debtrank(8.0, 8.0, 1 / 8.0) == 0.0, "no loss is none to the last bit"
    assert linear_debtrank(-8.0, 8.0, 1 / 8.0) == 1.0
    assert exponential_debtrank(4.0, 8.0, 1 / 8.0, 0.0) == linear_debtrank(4.0, 8.0, 1 / 8.0)
    assert merton(20.0, 20.0, 0.2) == 0.0, "debts that nothing can touch"
    assert merton(-1.0, 0.0, 0.2) == 1.0
    assert merton(1.0, 20.0, 0.0) == 0.0, "without volatility it is default only"
    assert merton(-1.0, 20.0, 0.0) == 1.0


@given(st.floats(-20, 10), st.floats(0, 50))
def test_default_costs_with_nothing_lost_are_clearing(equity: float, assets: float):
    assert default_costs(equity, 3.0, 1 / 7.0, 10.0, assets, 1.0, 1.0) == pytest.approx(
        clearing(equity, 3.0, 1 / 7.0), abs=1e-12
    )


def test_who_had_no_equity_has_lost_all():
    found = propagate([[0.0, 4.0], [0.0, 0.0]], [0.0, 0.0], equity=[5.0, 0.0], valuation="linear-debtrank")
    np.testing.assert_array_equal(found.value[0, 1], 0.0)


def linear(equity, initial_equity, obligations, external_assets):
    if initial_equity <= 0.0:
        return 0.0
    return equity / initial_equity


def test_an_own_function_agrees_with_the_named_one_it_repeats():
    draw = np.random.default_rng(0)
    exposures = draw.random((12, 12)) * (1 - np.eye(12))
    given_ = {"external_assets": np.full(12, 30.0), "external_liabilities": np.full(12, 27.0)}
    losses = draw.uniform(0, 2, (50, 12))
    own = propagate(exposures, losses, valuation=linear, **given_)
    named = propagate(exposures, losses, valuation="linear-debtrank", **given_)
    np.testing.assert_allclose(own.equity, named.equity, atol=1e-10)
    assert own.valuation == "linear"
    assert own.converged.all()


def falls(equity, initial_equity, obligations, external_assets):
    return -equity


def reads(equity, initial_equity, obligations, external_assets):
    return open("x")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (falls, "falls while equity rises"),
        (reads, "cannot be compiled"),
        (lambda equity: 1.0, "cannot be compiled"),
        (3, "expected a name or a function of four numbers"),
    ],
)
def test_an_own_function_that_cannot_be_one_is_refused(function, words: str):
    with pytest.raises(ValueError, match=words):
        own_valuation(function)
