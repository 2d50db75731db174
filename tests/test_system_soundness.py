"""What no system can be, each told with the first offender."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.system import AssetClass, Dependences, Guarantee, Layer, System, system_from_arrays
from poundlock.system.soundness import check_system, mistakes


def lend(n: int = 3, amount: float = 1.0) -> csr_array:
    return csr_array(([amount], ([0], [1])), shape=(n, n))


def plain(**changes: object) -> System:
    return replace(system_from_arrays([Layer("i", lend())], [5.0, 5.0, 5.0], [1.0, 1.0, 1.0]), **changes)


def stakes(*cells: tuple[int, int, float]) -> tuple[Layer, ...]:
    rows, columns, amounts = zip(*cells, strict=True)
    return (Layer("stakes", csr_array((amounts, (rows, columns)), shape=(3, 3)), kind="stake"),)


def test_a_sound_system_has_no_mistakes():
    assert mistakes(plain()) == []
    check_system(plain())


@pytest.mark.parametrize(
    ("system", "found", "about"),
    [
        (plain(ids=("a", "a", "b")), "two institutions of one name", ("system", 0)),
        (plain(kinds=("bank",)), "1 kinds for 3 institutions", ("system", 0)),
        (plain(external_assets=np.ones(2)), "shapes disagree: external_assets (2,)", ("system", 0)),
        (plain(runnable=np.ones(2)), "shapes disagree: runnable (2,)", ("system", 0)),
        (plain(holdings=np.ones((3, 2))), "shapes disagree: holdings (3, 2)", ("system", 0)),
        (plain(layers=(Layer("i", csr_array((2, 2))),)), "amounts of layer 'i' (2, 2)", ("system", 0)),
        (plain(dependences=Dependences(csr_array((2, 2)), csr_array((3, 3)))), "daily_margin (2, 2)", ("system", 0)),
        (plain(external_liabilities=np.array([1.0, -2.0, -3.0])), "'1' is -2 (and 1 more)", ("institution", 1)),
        (plain(safe_assets=np.array([0.0, 0.0, np.nan])), "safe_assets of '2' is nan", ("institution", 2)),
        (plain(layers=(Layer("i", lend(), rank=0),)), "layer 'i' has rank 0", ("layer", 0)),
        (plain(layers=(Layer("i", lend(), valuation="guess"),)), "unknown valuation 'guess'", ("layer", 0)),
        (plain(layers=(Layer("i", lend(), recovery=lend(3, 1.2)),)), "recovery 1.2", ("layer", 0)),
        (plain(layers=(Layer("i", lend(), maturity_days=lend(3, -7.0)),)), "a maturity of -7 days", ("layer", 0)),
        (plain(layers=(Layer("i", lend(), rank=3),)), "seniority with gaps: ranks 1, 3, none at 2", ("system", 0)),
        (plain(external_rank=2, layers=(Layer("i", lend(), rank=2),)), "ranks 2, none at 1", ("system", 0)),
        (plain(guarantees=(Guarantee(0, 1, "claims", 0),)), "guarantee 1: institutions (0, 1, 0)", ("guarantee", 0)),
        (plain(guarantees=(Guarantee(0, 9, "own-loss"),)), "institutions (0, 9) of 3", ("guarantee", 0)),
        (plain(guarantees=(Guarantee(0, 1, "own-loss", share=1.5),)), "share 1.5", ("guarantee", 0)),
        (plain(guarantees=(Guarantee(0, 1, "own-loss", limit=-1.0),)), "limit -1", ("guarantee", 0)),
        (plain(leverage_limit=np.array([5.0, 1.0, 5.0])), "leverage limit of '1' is 1", ("institution", 1)),
        (
            plain(leverage_limit=np.full(3, 5.0), leverage_buffer=np.array([4.0, 6.0, 4.0])),
            "leverage buffer of '1' is 6, above its limit",
            ("institution", 1),
        ),
        (
            plain(asset_classes=(AssetClass("g", "", "", 0, 0, 0, 0, depth=0.0),), holdings=np.zeros((3, 1))),
            "market depth of 'g' is 0",
            ("pool", 0),
        ),
        (
            plain(asset_classes=(AssetClass("g", "", "", 0, 0, 0, 0, floor=1.0),), holdings=np.zeros((3, 1))),
            "price floor of 'g' is 1",
            ("pool", 0),
        ),
        (
            plain(safe_assets=np.array([6.0, 0.0, 0.0])),
            "'0' holds 6 in asset classes and safe assets",
            ("institution", 0),
        ),
        (plain(runnable=np.array([0.0, 2.0, 0.0])), "runnable balances of '1' are 2", ("institution", 1)),
        (plain(layers=stakes((0, 1, 4.5))), "stakes in '1' add up to 4.5, its equity is 4", ("institution", 1)),
        (
            plain(layers=stakes((0, 1, 6.0), (1, 0, 6.0)), external_assets=np.array([1.0, 1.0, 7.0])),
            "cross-holdings of 0, 1 sum to one: each is owned by the others alone",
            ("institution", 0),
        ),
    ],
    ids=lambda value: value[:34] if isinstance(value, str) else None,
)
def test_each_mistake_names_its_offender(system: System, found: str, about: tuple[str, int]):
    told = mistakes(system)
    assert any(found in mistake.found and (mistake.about, mistake.number) == about for mistake in told), told
    with pytest.raises(ValueError, match="expected"):
        check_system(system)


def test_a_subsidiary_may_be_owned_whole():
    assert mistakes(plain(layers=stakes((0, 1, 4.0)))) == []


def test_a_chain_of_whole_ownership_that_ends_outside_is_sound():
    assert mistakes(plain(layers=stakes((0, 1, 4.0), (1, 2, 4.0)), external_assets=np.full(3, 5.0))) == []
