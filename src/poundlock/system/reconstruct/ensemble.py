"""One door to all ways of rebuilding a network from totals: an ensemble, and whether it may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Final, Literal, get_args

import numpy as np
from scipy.sparse import csr_array

from poundlock.system.reconstruct.entropy import Clash, Floats, fit_to_totals
from poundlock.system.reconstruct.fitness import draw_networks
from poundlock.system.reconstruct.given import Given, given, largest_miss, whole
from poundlock.system.reconstruct.minimum_density import fewest_links

Method = Literal["maximum-entropy", "minimum-density", "fitness", "gibbs"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
BY_BLOCK: Final[tuple[Method, ...]] = ("maximum-entropy", "fitness")
"""Methods that can meet totals by block."""
TOLERANCE: Final = 1e-9
"""Relative miss of a total above which a network does not meet it."""


@dataclass(frozen=True)
class Ensemble:
    """Networks that fit the same totals.

    amounts: each (n, n), [i, j] what i lends to j, money. method, seed: how they came about. converged: whether they may be used;
    reason: why not, else empty. gap: largest relative miss of any total in any network. density: mean of links over cells that may
    hold one. effective_size: how many independent networks they are worth, as regards density; as many as there are where they
    are drawn independently. lacking: when no network meets the totals, (side, institution, -1, missing amount) with side 'lends'
    or 'owes'.

    minimum-density: at_least, links that any network needs; how, what found the network and the bound. fitness: z, of the chances of a
    link, one over money squared, over money where totals by block are known; repaired, for each network the links added and the
    links left without money so that totals are met; draws, sets of links drawn for each. gibbs: chains, sweeps of each; density_size, largest_size, effective sizes along all chains of density and of the
    largest amount; r_hat, the larger of both; probability, p where it was set so as to reach the density. NaN, nought or empty
    where a method does not say.
    """

    amounts: tuple[csr_array, ...] = field(repr=False)
    method: Method
    seed: int
    converged: bool
    reason: str
    gap: float
    density: float
    effective_size: float
    lacking: tuple[Clash, ...] = ()
    at_least: int = 0
    how: str = ""
    z: float = np.nan
    repaired: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    draws: tuple[int, ...] = field(default=(), repr=False)
    chains: int = 0
    sweeps: int = 0
    density_size: float = np.nan
    largest_size: float = np.nan
    r_hat: float = np.nan
    probability: float = np.nan

    def __len__(self) -> int:
        return len(self.amounts)

    def __repr__(self) -> str:
        if not self.amounts:
            return f"Ensemble({self.method}, none: {self.reason})"
        noun = "network" if len(self) == 1 else "networks"
        said = [
            f"{len(self)} {noun} of {self.amounts[0].shape[0]} institutions by {self.method}, seed {self.seed}",
            f"density {self.density:.3g}",
            f"totals met to {self.gap:.1e}",
        ]
        if self.chains:
            said.append(f"worth {self.effective_size:.0f} independent ones, R-hat {self.r_hat:.3f}")
        if self.at_least:
            said.append(f"at least {self.at_least} links are needed ({self.how})")
        if added := sum(some for some, _ in self.repaired):
            said.append(f"{added} links added")
        said.append("converged" if self.converged else f"not converged: {self.reason}")
        return f"Ensemble({'; '.join(said)})"

    def explain(self) -> str:
        """The rule, its inputs, the numbers, and what would change them."""
        rule = {
            "maximum-entropy": "exposures as even as the totals allow (Upper and Worms 2004); one network, every allowed cell holds something",
            "minimum-density": "the fewest links that meet all totals (Anand, Craig and von Peter 2015)",
            "fitness": "links by chance, likelier between larger institutions, to a stated density; then exposures that meet the totals (Cimini et al. 2015)",
            "gibbs": "draws from the posterior of all networks that meet the totals, given a prior on links and amounts (Gandy and Veraart 2017)",
        }[self.method]
        return "\n".join([
            f"Rule: {rule}.",
            "Inputs: what each institution lends and owes in all, known cells, cells that must be empty, totals by block.",
            f"Numbers: {self!r}",
            "What would change it: another density or method; exposures known one by one; totals of another date.",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        rows = [("density", f"{self.density:.3g}"), ("totals met to", f"{self.gap:.1e}")]
        if self.chains:
            rows += [("independent networks", f"{self.effective_size:.0f}"), ("R-hat", f"{self.r_hat:.3f}")]
        if self.at_least:
            rows.append(("links needed at least", f"{self.at_least} ({self.how})"))
        rows.append(("converged", "yes" if self.converged else f"no: {self.reason}"))
        head = f"{len(self)} of method {self.method}, seed {self.seed}"
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<p><b>Networks: {escape(head)}</b></p><table><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class _Asked:
    """The options of `ensemble`, under the same names."""

    count: int
    seed: int
    density: float | None
    probability: Any
    rate: Any
    redraws: int
    exact_up_to: int
    time_limit: float
    chains: int
    least_effective: float
    r_hat_at_most: float
    max_sweeps: int


def ensemble(
    row_totals: Any,
    column_totals: Any,
    *,
    method: Method = "maximum-entropy",
    count: int = 1,
    seed: int = 0,
    density: float | None = None,
    known: Any = None,
    allowed: Any = None,
    block_of: Any = None,
    block_totals: Any = None,
    probability: Any = None,
    rate: Any = None,
    redraws: int = 20,
    exact_up_to: int = 30,
    time_limit: float = 60.0,
    chains: int = 4,
    least_effective: float = 400.0,
    r_hat_at_most: float = 1.01,
    max_sweeps: int = 200_000,
) -> Ensemble:
    """Networks in which rows lend and columns owe these totals, (n,), money.

    count: networks; the first two methods give one. density: share of the cells that may hold a link and do, on average; for 'fitness',
    and for 'gibbs' unless probability is given. known: (n, n), amounts known one by one, nought included; NaN where unknown. allowed:
    (n, n), where links may be; default: everywhere but on the diagonal. Known amounts and noughts are kept exactly.
    block_of: (n,), block of each borrower, from nought. block_totals: (n, blocks), what each lends to each block, known
    amounts included; NaN where unknown. For 'maximum-entropy' and 'fitness' only; `fitness.chances` says how links are
    then drawn.
    redraws: of 'fitness', before a set of links is repaired. exact_up_to, time_limit (seconds): of the mixed-integer programme of
    'minimum-density'. Of 'gibbs': probability and rate of a link beforehand, one or (n, n), see `gibbs.sample`; chains, least_effective,
    r_hat_at_most, max_sweeps: when it may speak, see `gibbs.Bounds`. Same seed, same networks.

    Raises ValueError for what cannot be meant: shapes, negative amounts, sums that differ, an unknown method, totals by
    block for a method that cannot meet them. Totals that no network meets are not an error: `converged` is False, `lacking` and
    `reason` name them.
    """
    asked = _Asked(
        count, seed, density, probability, rate, redraws, exact_up_to, time_limit, chains, least_effective, r_hat_at_most, max_sweeps
    )  # fmt: skip
    _check(method, asked)
    if block_totals is not None and method not in BY_BLOCK:
        raise ValueError(f"{method!r} cannot meet totals by block; {' and '.join(map(repr, BY_BLOCK))} can")
    facts = given(row_totals, column_totals, known, allowed, block_of, block_totals)
    if method == "gibbs":
        facts, asked = _beforehand(facts, asked)
    return _judged(_HOW[method](facts, asked), facts)


def _check(method: Method, asked: _Asked) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; there are {', '.join(map(repr, METHODS))}")
    if asked.count < 1 or (asked.count > 1 and method in METHODS[:2]):
        allowed = "at least 1" if asked.count < 1 else f"1 for {method!r}, which gives one network only"
        raise ValueError(f"count is {asked.count}: it is {allowed}")
    if asked.density is not None and not 0.0 < asked.density <= 1.0:
        raise ValueError(f"density is {asked.density}: it is a share, above 0 and at most 1")
    if method == "fitness" and asked.density is None:
        raise ValueError("'fitness' needs a density")
    if method == "gibbs" and (asked.density is None) == (asked.probability is None):
        raise ValueError("'gibbs' needs either a density or a probability")
    if asked.chains < 2:
        raise ValueError(f"chains is {asked.chains}: at least 2, since one cannot be held against another")


def _beforehand(facts: Given, asked: _Asked) -> tuple[Given, _Asked]:
    """Probability and rate as arrays or None; where a link has no probability nothing may be."""
    made: dict[str, Any] = {}
    for name, most in (("probability", 1.0), ("rate", np.inf)):
        value = getattr(asked, name)
        made[name] = None if value is None else np.asarray(value, dtype=np.float64)
        if (array := made[name]) is None:
            continue
        if array.shape not in ((), (len(facts),) * 2):
            raise ValueError(f"{name} has shape {array.shape}: one number or {(len(facts),) * 2} is needed")
        inside = np.broadcast_to(array, facts.free.shape)[facts.free]
        if not (np.isfinite(inside) & (inside >= 0.0) & (inside <= most)).all() or (
            name == "rate" and not inside.all()
        ):
            raise ValueError(f"{name} must be {'from 0 to 1' if name == 'probability' else 'positive and finite'}")
    if (chance := made["probability"]) is not None:
        facts = replace(facts, free=facts.free & (np.broadcast_to(chance, facts.free.shape) > 0.0))
    return facts, replace(asked, **made)


def _judged(found: Ensemble, facts: Given) -> Ensemble:
    """With gap and density, and not converged where a total is missed."""
    if not found.amounts:
        return found
    gap = max(largest_miss(facts, network) for network in found.amounts)
    density = float(np.mean([network.nnz for network in found.amounts])) / max(facts.cells, 1)
    missed = "" if gap <= TOLERANCE else f"a total is missed by {gap:.1e} of it, at most {TOLERANCE:g} is asked for"
    reason = "; ".join(said for said in (found.reason, missed) if said)
    return replace(found, gap=gap, density=density, reason=reason, converged=not reason)


def _made(method: Method, asked: _Asked, networks: tuple[csr_array, ...], reason: str = "", **said: Any) -> Ensemble:
    size = said.pop("effective_size", float(len(networks)))
    return Ensemble(networks, method, asked.seed, not reason, reason, np.inf, np.nan, size, **said)


def _fitted(facts: Given) -> tuple[Floats, str, tuple[Clash, ...]]:
    """The maximum-entropy network, or why there is none."""
    prior = np.where(facts.free, np.outer(facts.lends, facts.owes), 0.0)
    fitted = fit_to_totals(
        facts.lends,
        facts.owes,
        prior=prior,
        block_of=facts.block_of,
        block_totals=facts.blocks,
        tolerance=TOLERANCE / 10.0,
    )
    if fitted.converged:
        return fitted.amounts, "", ()
    lacking = tuple((side, i, block, amount * facts.unit) for side, i, block, amount in fitted.lacking)
    if not lacking:
        return fitted.amounts, f"not fitted: gap {fitted.gap:.1e} after {fitted.rounds} rounds", ()
    named = [_named(clash) for clash in lacking]
    more = f", and {len(named) - 3} more" if len(named) > 3 else ""
    return fitted.amounts, "totals clash: " + ", ".join(named[:3]) + more, lacking


def _named(clash: Clash) -> str:
    side, i, block, amount = clash
    if side == "blocks":
        more = "more" if amount > 0 else "less"
        return f"institution {i} lends {abs(amount):,.6g} {more} than its totals by block add up to"
    to = f" to block {block}" if block >= 0 else ""
    return f"institution {i} {side}{to} {amount:,.6g} more than any network can place"


def _maximum_entropy(facts: Given, asked: _Asked) -> Ensemble:
    amounts, reason, lacking = _fitted(facts)
    networks = () if reason else (whole(facts, amounts),)
    return _made("maximum-entropy", asked, networks, reason, lacking=lacking)


def _minimum_density(facts: Given, asked: _Asked) -> Ensemble:
    found = fewest_links(facts, exact_up_to=asked.exact_up_to, time_limit=asked.time_limit)
    if found is None:
        _, reason, lacking = _fitted(facts)
        return _made("minimum-density", asked, (), reason or "no network was found", lacking=lacking)
    return _made("minimum-density", asked, (found.network,), at_least=found.at_least, how=found.how)


def _fitness(facts: Given, asked: _Asked) -> Ensemble:
    expected, reason, lacking = _fitted(facts)
    if reason or asked.density is None:
        return _made("fitness", asked, (), reason, lacking=lacking)
    drawn = draw_networks(
        facts,
        count=asked.count,
        seed=asked.seed,
        density=asked.density,
        redraws=asked.redraws,
        expected=expected if facts.by_block else None,
    )
    return _made("fitness", asked, drawn.networks, z=drawn.z, repaired=drawn.repaired, draws=drawn.draws)


def _gibbs(facts: Given, asked: _Asked) -> Ensemble:
    from poundlock.system.reconstruct.gibbs import Bounds, sample  # noqa: PLC0415  the compiler is slow to load

    start, reason, lacking = _fitted(facts)
    if reason:
        return _made("gibbs", asked, (), reason, lacking=lacking)
    found = sample(
        facts,
        start,
        count=asked.count,
        seed=asked.seed,
        density=asked.density,
        probability=asked.probability,
        rate=asked.rate,
        chains=asked.chains,
        bounds=Bounds(asked.least_effective, asked.r_hat_at_most, asked.max_sweeps),
    )
    if found.mixing is None:
        return _made("gibbs", asked, found.networks, found.reason)
    mixing = found.mixing
    return _made(
        "gibbs",
        asked,
        found.networks,
        found.reason,
        effective_size=min(float(asked.count), mixing.density_size),
        chains=mixing.chains,
        sweeps=mixing.sweeps,
        density_size=mixing.density_size,
        largest_size=mixing.largest_size,
        r_hat=max(mixing.density_r_hat, mixing.largest_r_hat),
        probability=mixing.probability,
    )


_HOW: Final[dict[str, Callable[[Given, _Asked], Ensemble]]] = {
    "maximum-entropy": _maximum_entropy,
    "minimum-density": _minimum_density,
    "fitness": _fitness,
    "gibbs": _gibbs,
}
