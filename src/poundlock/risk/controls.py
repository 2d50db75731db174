"""What a plan may turn to hold the risk: each control with its range, its legal basis, its yearly cost, and what it does to a system.

Caps, the contribution floor and suspension change the limits of a measure before it is applied; capital, the compensation fund,
the liquidity line and the ring-fence change the system with all measures on its books.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from poundlock.measures import Deals, apply, granted
from poundlock.reading import Declared
from poundlock.risk.scenarios import FUND
from poundlock.rollout.plan import Id, Scope
from poundlock.system.balance import Floats, System
from poundlock.system.contingent import Guarantee

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Control(Declared):
    id: Id
    """Name for gates and results."""
    tightest: Annotated[float, Field(ge=0.0)]
    """The tightest setting that may be made."""
    loosest: Annotated[float, Field(ge=0.0)]
    """The loosest one."""
    resolution: Annotated[float, Field(ge=1e-6)] = 0.01
    """The search stops when the setting is known this closely."""
    legal_basis: Annotated[str, Field(min_length=1)]
    """Id of the rule that permits this control."""
    yearly_cost: Annotated[float, Field(ge=0.0)]
    """What each unit of money that the control takes (credit not granted, capital or money held, lending cut) costs in a year; the
    margin forgone on a loan, the cost of equity. A judgement that the plan has to state; 1 would count the money itself."""

    RISING: ClassVar[bool] = False
    UNIT: ClassVar[str] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Any:
        low, high = (self.loosest, self.tightest) if self.RISING else (self.tightest, self.loosest)
        if low >= high:
            which = "above" if self.RISING else "below"
            raise ValueError(
                f"range upside down, tightest {self.tightest:g} and loosest {self.loosest:g}; expected tightest {which} loosest; cure exchange the two"
            )
        return self


class _MeasureControl(_Control):
    measure: Id
    """The measure that it limits."""
    others: Literal["today", "before"] = "today"
    """Setting of all other limits while this one is searched: today's, or the earlier ones (then the control works alone)."""


class PartnerCap(_MeasureControl):
    """Cap on a bank's joint-lending balance with one platform, as a fraction of its Tier 1 capital."""

    kind: Literal["partner-cap"]
    UNIT: ClassVar[str] = "of tier 1"


class TotalCap(_MeasureControl):
    """Cap on a bank's joint loans with all platforms, as a fraction of its total loans."""

    kind: Literal["total-cap"]
    UNIT: ClassVar[str] = "of its loans"


class ContributionFloor(_MeasureControl):
    """Least part of every loan that the platform puts up itself."""

    tightest: Annotated[float, Field(ge=0.0, lt=1.0)]
    """The largest floor that may be set, a fraction below 1."""
    kind: Literal["contribution-floor"]
    RISING: ClassVar[bool] = True
    UNIT: ClassVar[str] = "of each loan"


class Suspension(_MeasureControl):
    """Part of the new business that may still be written; 0 suspends it."""

    loosest: Share
    """The loosest setting, at most 1: all of it."""
    kind: Literal["suspension"]
    UNIT: ClassVar[str] = "of new business"


class TermControl(_MeasureControl):
    """Any term of a measure that is a number, such as cover_share, insurer_cap, reserve_cover, warrant_share or support. Its cost
    counts the credit that it takes, not what else it changes, such as premiums."""

    kind: Literal["term"]
    term: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    """Name of the term, as under the measure's today."""

    @model_validator(mode="after")
    def _in_order(self) -> Any:
        """Which end is the tighter one differs from term to term."""
        if self.tightest == self.loosest:
            raise ValueError(
                f"tightest and loosest are both {self.tightest:g}; expected a range; cure move one of the two"
            )
        return self


class _SystemControl(_Control):
    scope: Scope = Scope()
    """Which institutions it applies to; all without it."""


class CapitalAddOn(_SystemControl):
    """More equity, held in safe assets, as a fraction of external assets."""

    kind: Literal["capital-add-on"]
    RISING: ClassVar[bool] = True
    UNIT: ClassVar[str] = "of external assets"


class CompensationFund(_SystemControl):
    """A fund of this size, in the system's money, that makes good what institutions in scope lack; when it is not enough, all get the
    same share."""

    kind: Literal["compensation-fund"]
    RISING: ClassVar[bool] = True
    UNIT: ClassVar[str] = "in money"
    resolution: Annotated[float, Field(ge=1e-6)] = 1.0
    """The search stops when the size is known this closely, in money."""


class LiquidityLine(_SystemControl):
    """Cash that institutions in scope may draw, as a fraction of their external liabilities, owed outside in turn."""

    kind: Literal["liquidity-line"]
    RISING: ClassVar[bool] = True
    UNIT: ClassVar[str] = "of external liabilities"


class RingFence(_SystemControl):
    """Part of the debts between different regions that may stay; what is cut is paid back in cash. Scope: creditors."""

    loosest: Share
    """The loosest setting, at most 1: all of it."""
    kind: Literal["ring-fence"]
    UNIT: ClassVar[str] = "of lending across regions"


Control = Annotated[
    PartnerCap
    | TotalCap
    | ContributionFloor
    | Suspension
    | TermControl
    | CapitalAddOn
    | CompensationFund
    | LiquidityLine
    | RingFence,
    Field(discriminator="kind"),
]
ON_MEASURES = (PartnerCap, TotalCap, ContributionFloor, Suspension, TermControl)
LIMITS: dict[type, str] = {
    PartnerCap: "partner_cap",
    TotalCap: "total_cap",
    ContributionFloor: "platform_share",
}
NO_CAP: Final = float("inf")
"""Setting of a cap that is left out."""
STANDS_AT: dict[type, float] = {
    Suspension: 1.0,
    RingFence: 1.0,
    CapitalAddOn: 0.0,
    CompensationFund: 0.0,
    LiquidityLine: 0.0,
}
"""Where a control stands that no term of a measure sets: it is not turned on."""


@dataclass(frozen=True)
class Controlled:
    """A system under a setting of controls. granted: credit by the measures on the books, money. taken: by control id, the money that it takes
    (credit not granted, capital or money held, lending cut). cost: a year, over all controls."""

    system: System = field(repr=False)
    granted: float
    taken: dict[str, float]
    cost: float


def under_controls(
    base: System,
    measures: Sequence[Any],
    deals: Mapping[str, Deals],
    terms: Mapping[str, Any],
    setting: Sequence[tuple[Any, float]],
) -> Controlled:
    """The measures applied one after the other under these terms, those of `terms` alone, and each control at its value."""
    system, total, taken = base, 0.0, {}
    for measure in measures:
        if measure.id not in terms:
            continue
        own = [(c, v) for c, v in setting if isinstance(c, ON_MEASURES) and c.measure == measure.id]
        now, wished = terms[measure.id], deals[measure.id]
        changed, asked = limited(now, wished, own)
        left = float(granted(measure, changed, asked, system).sum())
        for control, _ in own:
            rest_terms, rest_deals = limited(now, wished, [one for one in own if one[0] is not control])
            without = float(granted(measure, _lifted(rest_terms, control), rest_deals, system).sum())
            taken[control.id] = max(0.0, without - left)
        system = apply(measure, changed, asked, system)
        total += left if measure.CREDIT else 0.0
    for control, value in setting:
        if not isinstance(control, ON_MEASURES):
            system, taken[control.id] = _ON_SYSTEMS[type(control)](system, control, value)
    cost = sum(control.yearly_cost * taken[control.id] for control, _ in setting)
    return Controlled(system, total, taken, float(cost))


def term_of(control: Any) -> str | None:
    """Name of the term of a measure that a control sets, None for those that set none."""
    return control.term if isinstance(control, TermControl) else LIMITS.get(type(control))


def limited(now: Any, deals: Deals, own: Sequence[tuple[Any, float]]) -> tuple[Any, Deals]:
    """Terms and wished-for business with these controls at their values."""
    changes: dict[str, Any] = {name: None if v == NO_CAP else v for c, v in own if (name := term_of(c)) is not None}
    kept = float(np.prod([v for c, v in own if isinstance(c, Suspension)]))
    return now.model_copy(update=changes), deals.scaled(kept)


def _lifted(limits: Any, control: Any) -> Any:
    """Without the cap that this control sets; what is no cap, at its loosest."""
    name = term_of(control)
    if name is None:
        return limits
    cap = isinstance(control, PartnerCap | TotalCap)
    return limits.model_copy(update={name: None if cap else control.loosest})


def _members(system: System, scope: Scope) -> Floats:
    return system.members(scope.kinds, scope.regions).astype(np.float64)


def add_capital(system: System, control: CapitalAddOn, value: float) -> tuple[System, float]:
    """External assets grow by value times what they are, in safe assets; the money of new equity."""
    more = value * system.external_assets * _members(system, control.scope)
    return replace(system, external_assets=system.external_assets + more, safe_assets=system.safe_assets + more), float(
        more.sum()
    )


def add_fund(system: System, control: CompensationFund, value: float) -> tuple[System, float]:
    """One more institution, with safe assets of the fund's size and no debts, that promises to cover each member's shortfall, up to its
    size; clearing shares it pro rata where it is not enough. The institution is there at size nought as well."""
    n, covered = len(system), np.flatnonzero(_members(system, control.scope))
    promises = tuple(Guarantee(n, int(i), "shortfall", limit=value) for i in covered) if value > 0.0 else ()
    return _with_one_more(system, control.id, value, promises), value


def add_line(system: System, control: LiquidityLine, value: float) -> tuple[System, float]:
    """Safe assets and external liabilities grow alike: cash at hand for calls."""
    more = value * system.external_liabilities * _members(system, control.scope)
    return replace(
        system,
        external_assets=system.external_assets + more,
        safe_assets=system.safe_assets + more,
        external_liabilities=system.external_liabilities + more,
    ), float(more.sum())


def fence(system: System, control: RingFence, value: float) -> tuple[System, float]:
    """Debts between regions shrink to value times what they are; debtors pay in cash, or with new debts outside where their external
    assets do not suffice."""
    regions, members = np.array(system.regions), _members(system, control.scope)
    cut_claims, cut_debts, layers = np.zeros(len(system)), np.zeros(len(system)), []
    for layer in system.layers:
        if layer.kind != "debt":
            layers.append(layer)
            continue
        rows = np.repeat(np.arange(len(system)), np.diff(layer.amounts.indptr))
        across = (regions[rows] != regions[layer.amounts.indices]) & (members[rows] > 0.0)
        amounts = csr_array(layer.amounts, copy=True)
        amounts.data = np.where(across, value, 1.0) * layer.amounts.data
        cut = csr_array(layer.amounts - amounts)
        cut_claims += np.asarray(cut.sum(axis=1)).ravel()
        cut_debts += np.asarray(cut.sum(axis=0)).ravel()
        layers.append(replace(layer, amounts=amounts))
    owed_more = np.maximum(cut_debts - cut_claims - (system.external_assets - system.holdings.sum(axis=1)), 0.0)
    return replace(
        system,
        layers=tuple(layers),
        external_assets=system.external_assets + cut_claims - cut_debts + owed_more,
        external_liabilities=system.external_liabilities + owed_more,
        safe_assets=np.maximum(system.safe_assets + cut_claims - cut_debts, 0.0),
    ), float(cut_claims.sum())


_ON_SYSTEMS: dict[type, Callable[..., tuple[System, float]]] = {
    CapitalAddOn: add_capital,
    CompensationFund: add_fund,
    LiquidityLine: add_line,
    RingFence: fence,
}


def _with_one_more(system: System, name: str, assets: float, promises: tuple[Guarantee, ...]) -> System:
    """The system with one institution more, last; it holds safe assets alone, and makes these promises."""
    n = len(system)

    def grown(matrix: csr_array) -> csr_array:
        found = csr_array(matrix, copy=True)
        found.resize(n + 1, n + 1)
        return found

    def longer(values: Floats | None, last: float) -> Floats | None:
        return None if values is None else np.append(values, last)

    layers = tuple(
        replace(
            layer,
            amounts=grown(layer.amounts),
            recovery=None if layer.recovery is None else grown(layer.recovery),
            maturity_days=None if layer.maturity_days is None else grown(layer.maturity_days),
        )
        for layer in system.layers
    )
    depends = system.dependences
    if depends is not None:
        depends = replace(depends, daily_margin=grown(depends.daily_margin), daily_flow=grown(depends.daily_flow))
    return replace(
        system,
        ids=(*system.ids, name),
        names=(*system.names, name),
        kinds=(*system.kinds, FUND),
        regions=(*system.regions, ""),
        external_assets=np.append(system.external_assets, assets),
        external_liabilities=np.append(system.external_liabilities, 0.0),
        layers=layers,
        holdings=np.vstack([system.holdings, np.zeros((1, system.holdings.shape[1]))]),
        safe_assets=np.append(system.safe_assets, assets),
        tier1_capital=np.append(system.tier1_capital, np.nan),
        loans=np.append(system.loans, np.nan),
        guarantees=(*system.guarantees, *promises),
        dependences=depends,
        runnable=longer(system.runnable, 0.0),
        leverage_limit=longer(system.leverage_limit, np.nan),
        leverage_buffer=longer(system.leverage_buffer, np.nan),
        volatility=longer(system.volatility, 0.0),
        income=longer(system.income, 0.0),
        risk_weighted_assets=longer(system.risk_weighted_assets, np.nan),
        commitments=None
        if system.commitments is None
        else np.vstack([system.commitments, np.zeros((1, system.commitments.shape[1]))]),
    )
