"""Networks that fit the data: maximum entropy, fewest links, links drawn by fitness, and a posterior by Gibbs sampling."""

from poundlock.system.reconstruct.ensemble import BY_BLOCK, METHODS, Ensemble, Method, ensemble
from poundlock.system.reconstruct.entropy import Clash, Reconstruction, fit_to_totals

__all__ = ["BY_BLOCK", "METHODS", "Clash", "Ensemble", "Method", "Reconstruction", "ensemble", "fit_to_totals"]
