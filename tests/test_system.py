from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from poundlock.problems import Problem
from poundlock.system import (
    SystemFiles,
    claims,
    equity,
    fit_to_totals,
    network,
    obligations,
    read_system,
    synthetic_system,
)

DECLARED = {
    "origin": "synthetic",
    "note": "made up",
    "as_of": dt.date(2024, 1, 1),
    "unit": "mn",
    "institutions": "institutions.csv",
}
HEAD = "id,name,kind,region,external_assets,external_liabilities,equity\n"


def system(tmp_path: Path, files: dict[str, str], **declared: str):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    return read_system(tmp_path, SystemFiles(**DECLARED, **declared), problems), problems


def test_identities_hold_on_a_synthetic_system():
    s = synthetic_system(200, 8, seed=3)
    assert claims(s).sum() == pytest.approx(obligations(s).sum())
    total = s.external_assets + claims(s)
    np.testing.assert_allclose(equity(s), 0.06 * total, rtol=1e-12)


def test_exposures_are_read_the_right_way_round(tmp_path: Path):
    """a lends 10 to b: an asset of a, a liability of b."""
    files = {
        "institutions.csv": HEAD + "a,A,bank,X,100,100,10\nb,B,bank,Y,100,80,10\n",
        "exposures.csv": "layer,creditor,debtor,amount\ninterbank,a,b,10\n",
    }
    read, problems = system(tmp_path, files, exposures="exposures.csv")
    assert problems == []
    assert network(read.system).toarray().tolist() == [[0, 10], [0, 0]]
    assert claims(read.system).tolist() == [10, 0]
    assert obligations(read.system).tolist() == [0, 10]


def test_known_cells_stay_exact_in_a_rebuilt_layer(tmp_path: Path):
    files = {
        "institutions.csv": HEAD + "a,A,bank,X,70,80,20\nb,B,bank,X,80,80,15\nc,C,bank,Y,85,85,15\n",
        "totals.csv": "layer,institution,lends,owes\ni,a,30,0\ni,b,15,0\ni,c,0,45\n",
        "exposures.csv": "layer,creditor,debtor,amount\ni,a,c,30\n",
    }
    files["institutions.csv"] = HEAD + "a,A,bank,X,70,80,20\nb,B,bank,X,80,80,15\nc,C,bank,Y,145,85,15\n"
    read, problems = system(tmp_path, files, totals="totals.csv", exposures="exposures.csv")
    assert problems == []
    np.testing.assert_array_equal(network(read.system).toarray(), [[0, 0, 30], [0, 0, 15], [0, 0, 0]])
    assert read.rebuilt["i"].converged


def test_fit_meets_all_totals_and_blocks():
    draw = np.random.default_rng(0)
    n, blocks = 12, np.repeat(np.arange(3), 4)
    truth = draw.lognormal(size=(n, n)) * (draw.random((n, n)) < 0.6)
    np.fill_diagonal(truth, 0.0)
    sums = np.stack([truth[:, blocks == b].sum(axis=1) for b in range(3)], axis=1)
    allowed = np.ones((n, n))
    np.fill_diagonal(allowed, 0.0)
    fitted = fit_to_totals(truth.sum(axis=1), truth.sum(axis=0), prior=allowed, block_of=blocks, block_totals=sums)
    assert fitted.converged
    np.testing.assert_allclose(fitted.amounts.sum(axis=0), truth.sum(axis=0), rtol=1e-8)
    np.testing.assert_allclose(
        np.stack([fitted.amounts[:, blocks == b].sum(axis=1) for b in range(3)], axis=1), sums, rtol=1e-8
    )
    assert np.all(np.diag(fitted.amounts) == 0)


def test_fit_is_the_entropy_maximum_on_a_case_by_hand():
    """Three banks, totals (2, 1, 1) both ways, no self-lending. By symmetry x12 = x21 and so on; with d = x23 = x32 the
    rows give x12 = x13 = 1 and d = 0 for banks 2 and 3, the only network there is."""
    fitted = fit_to_totals(np.array([2.0, 1, 1]), np.array([2.0, 1, 1]))
    assert fitted.converged
    np.testing.assert_allclose(fitted.amounts, [[0, 1, 1], [1, 0, 0], [1, 0, 0]], atol=1e-9)


@pytest.mark.parametrize("n", [4, 20, 80])
def test_totals_that_force_cells_to_nought_are_met(n: int):
    """A hub that lends and owes as much as all others together: no two others can lend to each other."""
    totals = np.ones(n)
    totals[0] = n - 1.0
    fitted = fit_to_totals(totals, totals, max_rounds=300)
    assert fitted.converged
    assert np.all(fitted.amounts[1:, 1:] == 0)
    np.testing.assert_allclose(fitted.amounts.sum(axis=0), totals, rtol=1e-8)


def test_blocks_that_disagree_with_their_row_are_not_called_converged():
    nan = np.nan
    blocks = np.array([[5.0, 5.0], [nan, nan], [nan, nan]])
    fitted = fit_to_totals(
        np.array([5.0, 1, 1]), np.array([1.0, 3, 3]), block_of=np.array([0, 1, 1]), block_totals=blocks
    )
    assert not fitted.converged
    assert fitted.lacking == (("blocks", 0, -1, -5.0),)


def test_a_known_zero_is_kept(tmp_path: Path):
    names = "abcd"
    files = {
        "institutions.csv": HEAD + "".join(f"{x},{x},bank,X,100,90,10\n" for x in names),
        "totals.csv": "layer,institution,lends,owes\n" + "".join(f"i,{x},10,10\n" for x in names),
        "exposures.csv": "layer,creditor,debtor,amount\ni,a,b,0\ni,a,c,2\n",
    }
    read, problems = system(tmp_path, files, totals="totals.csv", exposures="exposures.csv")
    assert problems == []
    lent = network(read.system).toarray()
    assert (lent[0, 1], lent[0, 2]) == (0.0, 2.0)
    np.testing.assert_allclose(lent.sum(axis=0), 10.0, rtol=1e-8)


def test_a_block_smaller_than_its_known_cells_is_told(tmp_path: Path):
    names = "abcd"
    files = {
        "institutions.csv": HEAD + "".join(f"{x},{x},bank,{'RS'[x in 'cd']},100,90,10\n" for x in names),
        "totals.csv": "layer,institution,lends,owes\n" + "".join(f"i,{x},10,10\n" for x in names),
        "exposures.csv": "layer,creditor,debtor,amount\ni,a,c,2\n",
        "blocks.csv": "layer,creditor,debtor_region,amount\ni,a,S,1\n",
    }
    _, problems = system(tmp_path, files, totals="totals.csv", exposures="exposures.csv", blocks="blocks.csv")
    assert [(p.line, "1 less than its known exposures" in p.found) for p in problems] == [(2, True)]


def test_totals_that_no_network_can_meet_are_named():
    """Bank 0 lends 5 and owes 5 of 7 in all: it would have to lend 3 to itself."""
    fitted = fit_to_totals(np.array([5.0, 1, 1]), np.array([5.0, 1, 1]), max_rounds=500)
    assert not fitted.converged
    assert ("lends", 0, -1) in {clash[:3] for clash in fitted.lacking}
    assert sum(amount for side, _, _, amount in fitted.lacking if side == "lends") == pytest.approx(3.0)


def test_a_rebuilt_system_balances(europe):
    system = europe.worlds[0].system
    assert all(r.converged for r in europe.rebuilt.values())
    assert claims(system).sum() == pytest.approx(obligations(system).sum())


def test_europe_meets_every_reported_total(europe):
    """Exposure to each country's banks as reported, where the example places it there; all exposure in total."""
    import csv

    from conftest import EXAMPLES

    system = europe.worlds[0].system
    number = {name: i for i, name in enumerate(system.ids)}
    lent = network(system).toarray()
    with (EXAMPLES / "europe-2015" / "eba_banks_2015.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            i = number[row["lei"]]
            assert lent[i].sum() == pytest.approx(float(row["exposure_institutions_mn_eur"]), rel=1e-8)
            assert system.external_assets[i] + lent[i].sum() == pytest.approx(
                float(row["total_assets_mn_eur"]), rel=1e-8
            )
            assert equity(system)[i] == pytest.approx(float(row["cet1_capital_mn_eur"]), rel=1e-6)
    with (EXAMPLES / "europe-2015" / "blocks.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            inside = [j for j, region in enumerate(system.regions) if region == row["debtor_region"]]
            assert lent[number[row["creditor"]], inside].sum() == pytest.approx(
                float(row["amount"]), rel=1e-8, abs=1e-6
            )
