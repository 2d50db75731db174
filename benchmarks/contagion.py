"""The contagion engine against vectorised scipy, in one run on this machine. Run as `make bench`, or `make bench HUGE=1`.

For each work: median seconds (and the range), ratio to scipy written with one dense block and in cached blocks, sweeps, bytes
gathered a second and their share of the copy bandwidth, and how much of the time of the bare matrix times block products (as
many as there were sweeps) the whole solve takes. What each number stands for is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from baseline import iterate
from machine import bare_product, copy_bandwidth, describe, peak_memory, seconds
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, Funding, debtrank, importance, prepare, propagate
from poundlock.system import AssetClass, System, claims, equity, network, obligations, synthetic_system

TOLERANCE = 1e-10
HEAD = (
    "work",
    "ours, s",
    "range",
    "scipy, s",
    "ratio",
    "scipy cached",
    "ratio",
    "sweeps",
    "GB/s",
    "of copy",
    "of bare",
)


class Table:
    def __init__(self) -> None:
        self.bandwidth = copy_bandwidth()
        print(f"{describe()}, copy {self.bandwidth / 1e9:.1f} GB/s (read and written), tolerance {TOLERANCE:g}\n")
        print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD))

    def row(
        self,
        name: str,
        ours: Callable[[], object],
        theirs: Callable[[int], object] | None,
        flat: object,
        scenarios: int,
        sweeps: float,
        share: float = 1.0,
        runs: int = 7,
    ) -> None:
        """share: part of the scenarios that the baseline does; its time is scaled up."""
        works = [ours, bare_product(flat, scenarios)]
        if theirs:
            works += [lambda: theirs(10**9), lambda: theirs(64)]
        taken = seconds(works, runs)
        median = [float(np.median(t)) for t in taken]
        mine, bare = median[0], median[1]
        gathered = len(flat.amount) * 8.0 * scenarios * sweeps / mine
        cells = [name, f"{mine:.4f}", f"{min(taken[0]):.4f} to {max(taken[0]):.4f}"]
        for k in (2, 3):
            cells += [f"{median[k] / share:.3f}", f"{median[k] / share / mine:.1f}"] if theirs else ["-", "-"]
        cells += [
            f"{sweeps:.1f}",
            f"{gathered / 1e9:.1f}",
            f"{gathered / self.bandwidth:.0%}",
            f"{mine / (bare * sweeps):.2f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def debtrank_rows(table: Table, n: int, runs: int = 7, *, share: float = 1.0) -> None:
    """Every single failure, on a network that is stable, nearly critical, and explosive."""
    for label, equity_share in (("stable", 0.20), ("nearly critical", 0.155), ("explosive", 0.06)):
        system = synthetic_system(n, 10, seed=1, equity_share=equity_share)
        made = prepare(system, valuation="linear-debtrank")
        initial, exposures = equity(system), network(system)
        some = np.diag(initial)[: int(n * share)]
        owed = obligations(system) + system.external_liabilities
        found = importance(made, tolerance=TOLERANCE)
        sweeps = float(debtrank(made, some[:256], tolerance=TOLERANCE).rounds.mean())
        table.row(
            f"DebtRank, {n:,} failures of {n:,}, {label} ({found.amplification:.2f})",
            lambda made=made: importance(made, tolerance=TOLERANCE),
            lambda block, x=exposures, e=initial, o=owed, s=some: iterate(
                x, e, o, s, "debtrank", block=block, tolerance=TOLERANCE
            ),
            made.network,
            n,
            sweeps,
            share,
            runs,
        )


def clearing_rows(table: Table) -> None:
    """Uniform losses; interbank claims a fifth and a half of the balance sheet, few and most institutions failing."""
    for label, multiple, equity_share, most in (
        ("light interbank", 4.0, 0.06, 0.12),
        ("heavy interbank", 1.0, 0.04, 0.10),
        ("heavy, nearly all fail", 1.0, 0.03, 0.35),
    ):
        system = synthetic_system(1_000, 10, seed=1, equity_share=equity_share, external_multiple=multiple)
        losses = np.random.default_rng(0).uniform(0.0, most, (1_000, 1_000)) * system.external_assets
        clearing_row(table, "clearing", label, system, losses)
        clearing_row(table, "default costs", label, system, losses, alpha=0.7, beta=0.8)


def clearing_row(
    table: Table, name: str, label: str, system: System, losses: np.ndarray, alpha: float = 1.0, beta: float = 1.0
) -> None:
    """The same scenarios by both, held against each other first."""
    made = prepare(system, valuation="clearing" if name == "clearing" else "default-costs", alpha=alpha, beta=beta)
    given = (network(system), equity(system), obligations(system) + system.external_liabilities, losses)
    costs = {"tolerance": TOLERANCE, "costs": (alpha, beta), "external": system.external_assets}

    def theirs(block: int) -> tuple[np.ndarray, float]:
        return iterate(*given, "clearing" if name == "clearing" else "costs", block=block, **costs)

    found = propagate(made, losses, tolerance=TOLERANCE)
    np.testing.assert_allclose(found.equity, theirs(64)[0], atol=1e-6)
    table.row(
        f"{name}, {losses.shape[0]:,} on {losses.shape[1]:,}, {label}, {found.default.mean():.0%} fail",
        lambda: propagate(made, losses, tolerance=TOLERANCE),
        theirs,
        made.network,
        len(losses),
        float(found.rounds.mean()),
    )


def every_channel(n: int = 1_000, assets: int = 20) -> System:
    """A system with short-term funding, securities and leverage limits."""
    draw = np.random.default_rng(1)
    system = synthetic_system(n, 10, seed=1, equity_share=0.05, external_multiple=1.0)
    maturity: csr_array = system.layers[0].amounts.copy()
    maturity.data = draw.choice([7.0, 90.0, 365.0], maturity.nnz)
    held = np.zeros((n, assets))
    for i in range(n):
        held[i, draw.choice(assets, 5, replace=False)] = draw.dirichlet(np.ones(5)) * 0.25 * system.external_assets[i]
    classes = tuple(
        AssetClass(f"asset {k}", "", "", 0.0, 0.0, 0.0, 0.0, depth=float(8.0 * held[:, k].sum())) for k in range(assets)
    )
    leverage = (system.external_assets + claims(system)) / equity(system)
    return replace(
        system,
        layers=(replace(system.layers[0], maturity_days=maturity),),
        asset_classes=classes,
        holdings=held,
        safe_assets=0.02 * system.external_assets,
        leverage_limit=1.15 * leverage,
        leverage_buffer=1.1 * leverage,
    )


def channels(n: int = 1_000, scenarios: int = 1_000) -> None:
    """All channels against clearing alone, on the same system and shocks."""
    system = every_channel(n)
    losses = np.random.default_rng(0).uniform(0.0, 0.10, (scenarios, n)) * system.external_assets
    alone, together = prepare(system), prepare(system, sales=FireSales(), funding=Funding(withdrawn=0.5))
    one, all_ = seconds([lambda: propagate(alone, losses), lambda: propagate(together, losses)])
    found = propagate(together, losses)
    ratio = float(np.median(np.array(all_) / np.array(one)))
    rounds = f"{found.trade.rounds.mean():.1f} rounds of sales, {found.default.mean():.0%} fail"
    print(
        f"\nAll channels, {scenarios:,} on {n:,} ({rounds}): {np.median(all_):.4f} s, {ratio:.1f} times clearing alone"
    )


def growth(sizes: tuple[int, ...] = (500, 1_000, 2_000, 4_000)) -> None:
    """Exponent of time over size, at a constant number of claims each and 1,000 scenarios."""
    taken = []
    for n in sizes:
        made = prepare(synthetic_system(n, 10, seed=1, equity_share=0.2), valuation="linear-debtrank")
        counted = np.arange(n) < 512
        taken.append(
            float(np.median(seconds([lambda m=made, c=counted: importance(m, counted=c, tolerance=TOLERANCE)], 5)[0]))
        )
    slope = np.polyfit(np.log(sizes), np.log(taken), 1)[0]
    print(
        f"Growth of 512 failures over {', '.join(f'{n:,}' for n in sizes)} institutions: {', '.join(f'{t:.3f}' for t in taken)} s, exponent {slope:.2f}"
    )


def first_call() -> None:
    """A new process: import, then the first call with kernels from the disk."""
    script = (
        "import time; a = time.perf_counter()\n"
        "from poundlock.contagion import clear\n"
        "b = time.perf_counter(); clear([[0.0, 1.0], [0.0, 0.0]], [0.0, 2.0], external_assets=[1.0, 2.0], external_liabilities=[0.0, 0.0])\n"
        "print(b - a, time.perf_counter() - b)"
    )
    done = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(4)
    ]
    imports, calls = np.array([[float(x) for x in line.split()] for line in done[1:]]).T
    print(f"First call in a new process: {np.median(calls):.2f} s after {np.median(imports):.2f} s of imports")


def huge() -> None:
    """The largest works: 50,000 failures on 50,000 institutions, and one scenario on a million."""
    for label, share in (("stable", 0.2), ("explosive", 0.06)):
        made = prepare(synthetic_system(50_000, 20, seed=1, equity_share=share), valuation="linear-debtrank")
        start = time.perf_counter()
        found = importance(made, tolerance=TOLERANCE)
        spent = time.perf_counter() - start
        print(
            f"DebtRank, 50,000 failures of 50,000, {len(made.network.amount):,} exposures, {label} ({found.amplification:.2f}): {spent:.0f} s, at most {found.rounds} rounds, peak {peak_memory() / 1e9:.2f} GB",
            flush=True,
        )
    system = synthetic_system(1_000_000, 20, seed=1, equity_share=0.2)
    for valuation, losses in (
        ("linear-debtrank", np.where(np.arange(1_000_000) < 1_000, equity(system), 0.0)),
        ("clearing", np.random.default_rng(0).uniform(0.0, 0.3, 1_000_000) * system.external_assets),
    ):
        start = time.perf_counter()
        made = prepare(system, valuation=valuation)
        ready = time.perf_counter()
        found = propagate(made, losses, tolerance=TOLERANCE)
        print(
            f"{valuation}, 1 scenario on 1,000,000, {len(made.network.amount):,} exposures: {time.perf_counter() - ready:.1f} s after {ready - start:.1f} s to prepare, {found.rounds[0]} rounds, peak {peak_memory() / 1e9:.2f} GB",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--huge", action="store_true", help="the largest works too: about twenty minutes")
    asked = parser.parse_args()
    table = Table()
    debtrank_rows(table, 1_000)
    debtrank_rows(table, 5_000, runs=3, share=0.05)
    clearing_rows(table)
    channels()
    growth()
    first_call()
    print(f"Peak memory {peak_memory() / 1e6:,.0f} MB")
    if asked.huge:
        huge()


if __name__ == "__main__":
    main()
