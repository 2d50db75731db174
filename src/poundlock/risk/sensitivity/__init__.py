"""Derivatives of a tail loss in every exposure and buffer, by one transposed solve a scenario."""

from poundlock.risk.sensitivity.sensitivity import Change, Sensitivity, sensitivity

__all__ = ["Change", "Sensitivity", "sensitivity"]
