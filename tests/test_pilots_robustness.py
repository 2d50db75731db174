"""How strong an unseen cause would have to be."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots.robustness import robustness_value


def test_robustness_value_of_darfur():
    """Cinelli and Hazlett 2020: 13.9 %, 7.6 % at 5 %, partial R2 2.2 %."""
    found = robustness_value(4.18445, 783)
    assert found.value == pytest.approx(0.139, abs=5e-4)
    assert found.at_alpha == pytest.approx(0.076, abs=5e-4)
    assert found.partial_r2 == pytest.approx(0.022, abs=5e-4)


def test_a_cause_of_that_strength_takes_the_estimate_away():
    """The bias of a cause that explains as much of both is the estimate itself (their eq. 8)."""
    t, degrees = 3.0, 200
    r = robustness_value(t, degrees).value
    bias_in_errors = np.sqrt(r * r / (1.0 - r)) * np.sqrt(degrees)
    assert bias_in_errors == pytest.approx(t)
    assert robustness_value(1.0, 200).at_alpha == 0.0


def test_a_refusal():
    with pytest.raises(ValueError, match="expected finite"):
        robustness_value(np.inf, 10)
