"""A System from plain arrays, for notebooks: names are numbers, everything that is not given is nought or unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from poundlock.system.balance import AssetClass, Floats, Layer, System

Exposures = ArrayLike | Any | Mapping[str, ArrayLike | Any] | Sequence[Layer]


def system_from_arrays(
    exposures: Exposures,
    external_assets: ArrayLike,
    external_liabilities: ArrayLike,
    *,
    holdings: ArrayLike | None = None,
    depth: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
    unit: str = "money",
    **reported: Any,
) -> System:
    """exposures: (n, n), [i, j] what i may lose on j, dense or scipy sparse; or name to such a matrix; or Layers.

    external_assets, external_liabilities: (n,), money; external assets include holdings. holdings: (n, k), amounts in k asset
    classes; depth: (k,), market depth of each with linear impact; or asset_classes, k of AssetClass. names: default '0', '1', ...
    reported: further fields of System, among them safe_assets, runnable, leverage_limit, volatility, guarantees.
    Raises ValueError when lengths differ from n; amounts are checked where they are used.
    """
    assets, outside = _vector(external_assets), _vector(external_liabilities)
    n = len(assets)
    held = np.zeros((n, 0)) if holdings is None else np.atleast_2d(np.asarray(holdings, dtype=np.float64))
    deep = _vector([] if depth is None else depth)
    if len(deep) != held.shape[1] and "asset_classes" not in reported:
        raise ValueError(
            f"holdings have {held.shape[1]} asset classes, depth has {len(deep)}; expected one depth for each"
        )
    ids = tuple(names) if names is not None else tuple(str(i) for i in range(n))
    classes = tuple(AssetClass(f"asset {k}", "", "", 0.0, 0.0, 0.0, 0.0, depth=float(d)) for k, d in enumerate(deep))
    fields: dict[str, Any] = {
        name: _vector(value) if _is_per_institution(name, value) else value for name, value in reported.items()
    }
    missing = np.full(n, np.nan)
    plain = System(
        ids=ids,
        names=ids,
        kinds=tuple(kinds) if kinds is not None else ("institution",) * n,
        regions=tuple(regions) if regions is not None else ("",) * n,
        external_assets=assets,
        external_liabilities=outside,
        layers=_layers(exposures),
        asset_classes=classes,
        holdings=held,
        safe_assets=np.zeros(n),
        tier1_capital=missing,
        loans=missing,
        unit=unit,
    )
    return replace(plain, **fields)


def _vector(values: ArrayLike) -> Floats:
    return np.ascontiguousarray(np.asarray(values, dtype=np.float64))


def _is_per_institution(name: str, value: Any) -> bool:
    plain = ("external_rank", "guarantees", "dependences", "asset_classes", "covers", "commitments")
    return value is not None and name not in plain


def _layers(exposures: Any) -> tuple[Layer, ...]:
    if isinstance(exposures, Mapping):
        return tuple(Layer(name, _matrix(amounts)) for name, amounts in exposures.items())
    if isinstance(exposures, Sequence) and exposures and isinstance(exposures[0], Layer):
        return tuple(exposures)
    return (Layer("exposures", _matrix(exposures)),)


def _matrix(amounts: Any) -> csr_array:
    return csr_array(amounts if hasattr(amounts, "tocsr") else np.atleast_2d(np.asarray(amounts, dtype=np.float64)))
