"""The kernels as text and as machine code, alone and in blocks, on one thread and on two: the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, Funding, clear, debtrank, prepare, propagate
from poundlock.contagion.lanes import COUNT
from poundlock.system import Dependences, Guarantee, Layer, System, equity, synthetic_system, system_from_arrays

HERE = Path(__file__).parent


def every_channel(n: int = 24, seed: int = 1) -> System:
    """A random system with two ranks, stakes, guarantees, dependences, markets and short-term funding."""
    draw = np.random.default_rng(seed)
    base = synthetic_system(n, 4, seed=seed, equity_share=0.06, external_multiple=1.5)
    amounts = base.layers[0].amounts
    maturity: csr_array = amounts.copy()
    maturity.data = draw.choice([7.0, 200.0], maturity.nnz)
    junior = csr_array((draw.lognormal(0, 1, 5), (np.arange(5), np.arange(5) + 6)), shape=(n, n))
    stakes = csr_array(([0.3, 0.2], ([0, 1], [10, 11])), shape=(n, n))
    layers = [
        Layer("interbank", amounts, maturity_days=maturity),
        Layer("junior", junior, rank=2),
        Layer("stakes", stakes, kind="stake"),
    ]
    assets = base.external_assets + np.asarray(junior.sum(axis=0)).ravel()
    margin = csr_array(([0.1, 0.2], ([2, 3], [20, 20])), shape=(n, n))
    debtor = int(amounts.indices[amounts.indptr[4]])
    leverage = (assets + np.asarray(amounts.sum(axis=1)).ravel()) / equity(base)
    return system_from_arrays(
        layers,
        assets,
        base.external_liabilities,
        holdings=0.2 * assets[:, None] * draw.dirichlet(np.ones(3), n),
        depth=[20.0, 30.0, 40.0],
        safe_assets=0.02 * assets,
        runnable=0.1 * base.external_liabilities,
        leverage_limit=1.1 * leverage,
        leverage_buffer=1.05 * leverage,
        guarantees=(
            Guarantee(21, 4, "claims", debtor, 0.8),
            Guarantee(22, 5, "own-loss", share=0.5, deductible=0.1),
            Guarantee(0, 10, "shortfall", limit=1.0),
        ),
        dependences=Dependences(margin, 10.0 * margin),
    )


MECHANISM = {
    "sales": FireSales(),
    "funding": Funding(withdrawn=0.5, run=0.2, stress_below=0.3, margin=0.1),
    "stops_when_failed_days": 1.0,
}


def everything(seed: int = 1, scenarios: int = 40) -> dict[str, np.ndarray]:
    """Results of every kernel: few and many scenarios, each valuation, prices and funding, failures one by one."""
    draw = np.random.default_rng(seed)
    s = every_channel(seed=seed)
    n = len(s)
    losses = draw.uniform(0, 0.12, (scenarios, n)) * s.external_assets
    outages = np.zeros((scenarios, n))
    outages[::3, 20] = 2.0
    runs = np.zeros((scenarios, n))
    runs[::2, 6] = 0.5
    plain = synthetic_system(n, 4, seed=seed, equity_share=0.06)
    found = {}
    for count in (3, scenarios):
        some = (losses[:count],)
        whole = {"outages": outages[:count], "runs": runs[:count]}
        for name in ("clearing", "default-costs", "default-only", "linear-debtrank"):
            found[f"{name} {count}"] = propagate(plain, *some, valuation=name, alpha=0.7, beta=0.8).equity
            found[f"all, {name} {count}"] = propagate(
                s, *some, valuation=name, alpha=0.7, beta=0.8, **whole, **MECHANISM
            ).equity
        found[f"exponential {count}"] = propagate(plain, *some, valuation="exponential-debtrank", exponent=2.0).equity
        found[f"least {count}"] = clear(plain, *some, alpha=0.5, beta=0.5, bracket=True).least.equity
        found[f"once {count}"] = debtrank(plain, *some, once=True).equity
    return found


def test_the_text_and_the_machine_code_give_the_same_bits(tmp_path: Path):
    """The same text, run by the interpreter in another process."""
    script = (
        "import sys, numpy as np; from test_contagion_kernels import everything; np.savez(sys.argv[1], **everything())"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(HERE)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, tmp_path / "plain.npz"], env=environment, check=True)
    plain, compiled = np.load(tmp_path / "plain.npz"), everything()
    assert set(plain) == set(compiled)
    for name, values in compiled.items():
        np.testing.assert_array_equal(values, plain[name], err_msg=name)


@pytest.mark.parametrize("valuation", ["clearing", "default-costs", "default-only", "linear-debtrank"])
@pytest.mark.parametrize("markets", [False, True])
def test_a_scenario_is_the_same_alone_among_others_and_on_any_thread(valuation: str, markets: bool):
    s = every_channel(seed=3) if markets else synthetic_system(40, 5, seed=3, equity_share=0.04)
    options = {"valuation": valuation, "alpha": 0.6, "beta": 0.9, "recovery": 0.2, **(MECHANISM if markets else {})}
    model = prepare(s, **options)
    losses = np.random.default_rng(0).uniform(0, 0.12, (3 * COUNT + 7, len(s))) * s.external_assets
    whole = propagate(model, losses, threads=1)
    order = np.random.default_rng(1).permutation(len(losses))
    moved = propagate(model, losses[order], threads=2)
    np.testing.assert_array_equal(moved.equity, whole.equity[order])
    np.testing.assert_array_equal(moved.lost, whole.lost[order])
    np.testing.assert_array_equal(moved.rounds, whole.rounds[order])
    for number in (0, 31, 32, 70, 102):
        alone = propagate(model, losses[number])
        np.testing.assert_array_equal(alone.equity[0], whole.equity[number])
        assert alone.rounds[0] == whole.rounds[number]
        assert alone.gap[0] == whole.gap[number]


@pytest.mark.parametrize("equity_share", [0.145, 0.151, 0.155, 0.2])
def test_extrapolation_saves_sweeps_and_keeps_the_answer(equity_share: float):
    """Around an amplification of one, where sweeps come down slowly; the reference is swept to 1e-15 without it."""
    s = synthetic_system(120, 8, seed=7, equity_share=equity_share)
    shocks = np.diag(equity(s))
    ahead = debtrank(s, shocks, tolerance=1e-11)
    plain = debtrank(s, shocks, tolerance=1e-15, extrapolate=False, max_rounds=100_000)
    assert ahead.converged.all()
    assert np.all(ahead.lost <= plain.lost + 1e-13), "an extrapolation passed the solution"
    np.testing.assert_allclose(ahead.lost, plain.lost, atol=1e-10)


def test_extrapolation_takes_far_fewer_sweeps_near_one():
    s = synthetic_system(200, 8, seed=1, equity_share=0.155)
    shocks = np.diag(equity(s))
    ahead, plain = debtrank(s, shocks), debtrank(s, shocks, extrapolate=False)
    assert ahead.rounds.mean() < 0.4 * plain.rounds.mean()


def test_the_gap_bounds_what_is_left():
    """What a scenario still loses after it has closed is at most of the size of its gap, at every tolerance."""
    s = synthetic_system(150, 8, seed=2, equity_share=0.16)
    shocks = np.diag(equity(s))
    best = debtrank(s, shocks, tolerance=1e-15, max_rounds=100_000).lost
    for tolerance in (1e-3, 1e-6, 1e-9):
        found = debtrank(s, shocks, tolerance=tolerance)
        left = (best - found.lost).max(axis=1)
        assert np.all(left <= 1.5 * tolerance)


def test_rounds_end_at_the_bound_and_say_so():
    s = synthetic_system(60, 6, seed=2, equity_share=0.15)
    found = debtrank(s, np.diag(equity(s)), max_rounds=4)
    assert not found.converged.any()
    assert np.all(found.rounds == 4)
    assert np.all(found.gap > found.tolerance)
