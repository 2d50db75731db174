"""moderndid 0.2.0 (Python; `moderndid.didhonest`, C-LF, relative magnitudes) and HonestDiD (the authors' R package) on five event studies.

moderndid runs every linear programme, ours names their vertices. Its release leaves out the first change before the start (it counts from 1 - before to
-1, HonestDiD from 1 - before to 0), so that its intervals come out too narrow wherever that change matters: four of these studies. With a single
period after the start it ends in an IndexError. Its answers below are therefore the union of what its own `_compute_conditional_cs_rm_fixed_s` accepts
for every period before the start, with the constraints of HonestDiD's `.create_A_RM` in the place of its
`_create_relative_magnitudes_constraint_matrix`, on 4,000 points from 8 standard errors beyond the range that the estimates allow.

MODERNDID holds for each bound low and high with its own first stage, low and high with the critical values of ours handed to it, and the step of its
grid. Its own rests on 1,000 draws, of which 5 lie beyond the critical value: among seeds an end moves by up to 0.05 standard errors of the effect.
Held to 0.06 of them with its own, to one step of the grid with ours.

HonestDiD: `computeConditionalCS_DeltaRM(Mbar = 1, hybrid_flag = "LF", gridPoints = 200)` on its BCdata_EventStudy (Benzarti and Carloni 2019, American
Economic Journal: Economic Policy 11(1)), as recorded in HonestDiD.jl, test/reference.jl (commit 8179fe81): 0.07055244362 and 0.3184394077.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from poundlock.pilots.honest import relative_magnitudes

Floats = NDArray[np.float64]
FIRST_OWN = 0.06


def serial(before: int, after: int, error: float, persistence: float) -> Floats:
    """Covariance of an event study whose periods have errors of this size, each kept in the next by this much."""
    at = np.array([*range(-before, 0), *range(1, after + 1)], dtype=np.float64)
    far = persistence ** np.abs(at)
    return error**2 * (persistence ** np.abs(at[:, None] - at) - far[:, None] - far + 1.0)


def filled(rows: list[list[float]], unit: float) -> Floats:
    """A symmetric matrix from its lower triangle."""
    lower = np.array([[*row, *[0.0] * (len(rows) - len(row))] for row in rows]) * unit
    return lower + np.tril(lower, -1).T


RESTAURANTS = (
    [
        0.006696351804,
        0.02934503369,
        -0.006472972222,
        0.0730149895,
        0.1959611177,
        0.3120639026,
        0.2395415455,
        0.1260425001,
    ],
    filled(
        [
            [842.8358124],
            [476.8686777, 642.5420288],
            [261.8051076, 398.7425007, 522.9949602],
            [235.4220342, 243.5515198, 211.768609, 308.9595411],
            [167.6371467, 220.1960306, 184.0722252, 119.7866077, 359.970436],
            [112.8707663, 180.4591157, 145.852784, 133.4081317, 247.8818642, 426.3949813],
            [19.92816215, 38.4376508, 70.05197403, 101.6335009, 174.9579242, 217.1437809, 488.6697861],
            [-136.8265366, -29.60421989, 59.52994979, 107.9051726, 165.4256921, 289.2747871, 380.5322049, 761.739444],
        ],
        1e-6,
    ),
    4,
)
"""BCdata_EventStudy."""
COUNTIES = (
    [0.003306, 0.025022, 0.024459, -0.019932, -0.050957, -0.137259, -0.100811],
    filled(
        [
            [597.894],
            [335.907, 328.295],
            [210.815, 177.151, 202.675],
            [28.421, 38.226, 33.268, 139.863],
            [-82.464, -42.674, -40.357, 61.532, 285.39],
            [-213.554, -131.136, -95.747, 43.721, 360.401, 1327.558],
            [-171.692, -96.987, -64.341, 65.622, 325.274, 865.574, 1180.556],
        ],
        1e-6,
    ),
    3,
)
"""Minimum wages in mpdta.csv: group_time(...).aggregate("event") with its cells before the start added up to be against the last period before
it; influence' influence / 500^2."""
TEN = ([-0.31, 0.12, 0.24, -0.07, 0.15, -0.22, 0.08, 0.11, -0.05, 0.09, 1.32, 1.74], serial(10, 2, 0.2, 0.4), 10)
FIRST_CHANGE = ([1.2, 0.1, -0.1, 2.1, 2.4, 2.0], serial(3, 3, 0.15, 0.3), 3)
DIFFERENCE = ([0.4, -0.2, 0.1, 1.5, 0.9], serial(3, 2, 0.25, 0.0), 3)

MODERNDID = [
    (RESTAURANTS, [1, 0, 0, 0], 0.5, (0.11823, 0.27149), (0.11804, 0.27197), 0.0001),
    (RESTAURANTS, [1, 0, 0, 0], 1.0, (0.06694, 0.31932), (0.06647, 0.31932), 0.00012),
    (RESTAURANTS, [1, 0, 0, 0], 2.0, (-0.04206, 0.42435), (-0.04191, 0.42419), 0.00016),
    (RESTAURANTS, None, 0.0, (0.18361, 0.25319), None, 0.00007),
    (RESTAURANTS, None, 0.5, (0.06793, 0.36900), None, 0.00012),
    (RESTAURANTS, None, 1.0, (-0.06936, 0.50634), None, 0.00017),
    (COUNTIES, None, 0.0, (-0.11642, -0.03806), (-0.11634, -0.03814), 0.00008),
    (COUNTIES, None, 0.5, (-0.15504, 0.00104), (-0.15599, 0.00094), 0.0001),
    (COUNTIES, None, 1.0, (-0.21051, 0.05658), (-0.21051, 0.05625), 0.00011),
    (COUNTIES, None, 2.0, (-0.32766, 0.17290), (-0.32681, 0.17304), 0.00014),
    (TEN, None, 0.5, (0.75961, 2.30039), (0.75961, 2.30039), 0.0010),
    (TEN, None, 1.0, (0.22769, 2.83231), (0.2324, 2.8276), 0.0012),
    (TEN, None, 2.0, (-0.9105, 3.9705), (-0.9075, 3.9675), 0.0015),
    (FIRST_CHANGE, None, 0.5, (0.67784, 3.67002), (0.67179, 3.67607), 0.0012),
    (FIRST_CHANGE, None, 1.0, (-0.67674, 5.02943), (-0.67322, 5.02591), 0.0018),
    (DIFFERENCE, [1, -1], 0.5, (-0.3771, 1.5771), (-0.37553, 1.57553), 0.0016),
    (DIFFERENCE, [1, -1], 1.0, (-0.82058, 2.02058), (-0.83258, 2.03258), 0.0017),
]


@pytest.mark.parametrize(("study", "weights", "bound", "own", "given", "step"), MODERNDID)
def test_moderndid(study, weights, bound: float, own, given, step: float):
    effects, covariance, before = study
    found = relative_magnitudes(effects, covariance, before, bounds=(bound,), weights=weights)[0]
    after = len(effects) - before
    used = np.full(after, 1.0 / after) if weights is None else np.array(weights)
    error = float(np.sqrt(used @ covariance[before:, before:] @ used))
    np.testing.assert_allclose((found.low, found.high), own, rtol=0.0, atol=FIRST_OWN * error)
    if given is not None:
        np.testing.assert_allclose((found.low, found.high), given, rtol=0.0, atol=step)


def test_the_authors_software():
    """To one step of its grid and what its 1,000 draws leave open."""
    effects, covariance, before = RESTAURANTS
    found = relative_magnitudes(effects, covariance, before, bounds=(1.0,), weights=[1, 0, 0, 0])[0]
    error = float(np.sqrt(covariance[4, 4]))
    step = 40.0 * error / 199.0
    np.testing.assert_allclose(
        (found.low, found.high), (0.07055244362, 0.3184394077), rtol=0.0, atol=step + FIRST_OWN * error
    )
