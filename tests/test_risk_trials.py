"""Few scenarios give what all give; and strays are seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poundlock.risk.scenarios import FactorShares, ScenarioModel
from poundlock.risk.tilting import shifts_for
from poundlock.risk.tolerances import simulate, statistic
from poundlock.risk.trials import Trials
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, LossProbability
from poundlock.system import synthetic_system

MODEL = ScenarioModel(
    count=20_000,
    seed=4,
    volatility={"bank": 0.05},
    institutions=FactorShares(common=0.4),
    valuation="clearing",
)
TOLERANCES = (
    ExpectedShortfall(id="tail", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5),
    EventProbability(id="fail", label="f", statistic="failure-probability", failures_at_least=3, at_most=0.5),
    LossProbability(id="loss", label="l", statistic="loss-probability", loss_at_least=0.6, at_most=0.5),
    ExpectedShortfall(
        id="added", label="a", statistic="expected-shortfall", level=0.99, at_most=0.5, added_by_measures=True
    ),
)
BANKS = [synthetic_system(30, 4, seed=k, equity_share=0.06) for k in (1, 2)]


def lent(setting, network):
    """External assets funded by deposits: the looser, the more."""
    s = BANKS[network]
    more = setting[0] * s.external_assets
    return replace(s, external_assets=s.external_assets + more, external_liabilities=s.external_liabilities + more)


@pytest.mark.parametrize("way", ["plain", "sobol", "importance"])
def test_what_can_matter_is_enough(way):
    model = MODEL.model_copy(update={"draws": way})
    shifts = shifts_for(lent((0.5,), 0), model, TOLERANCES) if way == "importance" else np.zeros((0, 0))
    without = [simulate(bank, model, TOLERANCES, shifts=shifts) for bank in BANKS]
    trials = Trials(lent, 2, model, TOLERANCES, without=[one.found for one in without], shifts=shifts)
    trials.narrow((0.0,), (0.1,))
    for share in (0.03, 0.07):
        for network in (0, 1):
            few = trials.at((share,), network)
            everything = simulate(lent((share,), network), model, TOLERANCES, shifts=shifts)
            assert few.monotone
            for tolerance, found in zip(TOLERANCES, few.estimates, strict=True):
                full = statistic(tolerance, everything, without[network])
                assert found.value == pytest.approx(full.value, rel=1e-12, abs=1e-15)
                assert found.standard_error == pytest.approx(full.standard_error, rel=1e-9, abs=1e-15)
                assert (found.low, found.high) == pytest.approx((full.low, full.high), rel=1e-9, abs=1e-15)
    if way == "plain":
        assert len(trials.draws) < 0.25 * model.count


def test_both_ends_are_simulated_in_full():
    trials = Trials(lent, 2, MODEL, TOLERANCES[:2])
    tight, loose = trials.narrow((0.0,), (1.0,))
    for found, setting in ((tight, 0.0), (loose, 1.0)):
        for network, trial in enumerate(found):
            full = simulate(lent((setting,), network), MODEL, TOLERANCES[:2])
            assert trial.estimates[0].value == statistic(TOLERANCES[0], full).value


def test_a_setting_that_strays_is_seen():
    """Between the ends the loss is far above both."""

    def humped(setting, network):
        return lent((4.0 * setting[0] * (1.0 - setting[0]) * 3.0,), network)

    trials = Trials(humped, 1, MODEL, TOLERANCES[:1])
    trials.narrow((0.0,), (1.0,))
    assert not trials.at((0.5,), 0).monotone
