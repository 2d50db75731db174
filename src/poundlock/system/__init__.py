"""The financial system as reported: institutions, exposure layers, holdings, and networks that fit reported totals."""

from poundlock.system.arrays import system_from_arrays
from poundlock.system.balance import AssetClass, Layer, System, claims, equity, network, obligations
from poundlock.system.contingent import Dependences, Guarantee
from poundlock.system.files import LayerRule, SystemFiles
from poundlock.system.reconstruct import Ensemble, Reconstruction, ensemble, fit_to_totals
from poundlock.system.synthetic import synthetic_system
from poundlock.system.tables import read_system

__all__ = [
    "AssetClass",
    "Dependences",
    "Ensemble",
    "Guarantee",
    "Layer",
    "LayerRule",
    "Reconstruction",
    "System",
    "SystemFiles",
    "claims",
    "ensemble",
    "equity",
    "fit_to_totals",
    "network",
    "obligations",
    "read_system",
    "synthetic_system",
    "system_from_arrays",
]
