"""Labelled synthetic systems of any size, for trying things out, for tests and for benchmarks."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from poundlock.system.balance import Layer, System


def synthetic_system(
    institutions: int,
    mean_degree: float = 10.0,
    seed: int = 0,
    equity_share: float = 0.06,
    external_multiple: float = 4.0,
) -> System:
    """A random directed network with lognormal exposures, every name marked as synthetic.

    mean_degree: expected number of debtors of an institution. equity_share: equity over total assets, the same for all.
    Exposures are lognormal(0, 1); external assets are external_multiple times the larger of claims and obligations, plus one.
    """
    draw = np.random.default_rng(seed)
    n = institutions
    edges = draw.binomial(n * (n - 1), min(1.0, mean_degree / max(n - 1, 1)))
    creditor = draw.integers(0, n, edges)
    debtor = (creditor + draw.integers(1, n, edges)) % n if n > 1 else creditor[:0]
    amounts = csr_array((draw.lognormal(0.0, 1.0, edges), (creditor, debtor)), shape=(n, n))
    claims = np.asarray(amounts.sum(axis=1)).ravel()
    obligations = np.asarray(amounts.sum(axis=0)).ravel()
    external = external_multiple * np.maximum(claims, obligations) + 1.0
    total = external + claims
    missing = np.full(n, np.nan)
    ids = tuple(f"synthetic-{i:0{len(str(max(n - 1, 1)))}d}" for i in range(n))
    return System(
        ids=ids,
        names=ids,
        kinds=("bank",) * n,
        regions=("ZZ",) * n,
        external_assets=external,
        external_liabilities=total * (1.0 - equity_share) - obligations,
        layers=(Layer("interbank", amounts),),
        asset_classes=(),
        holdings=np.zeros((n, 0)),
        safe_assets=np.zeros(n),
        tier1_capital=missing,
        loans=missing,
        unit="synthetic units",
    )
