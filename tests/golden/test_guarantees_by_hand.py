"""Contingent claims in clearing: guarantees on claims, insurance of own losses, support in groups.

No paper prints numbers for these; the frame is Eisenberg and Noe 2001 (pro rata, limited liability) with obligations
that depend on others' losses, as in Schuldenzucker, Seuken and Battiston 2020, Management Science 66(5), for covered
positions, where a greatest solution exists. Guarantor g owes min(limit, share * max(0, loss - deductible)), which ranks
with its other debts of the same rank. Each docstring is the derivation.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from poundlock.contagion import clear
from poundlock.system import Guarantee, system_from_arrays


def lender_borrower_guarantor(guarantee, assets, outside):
    """0 lent 1 ten; 2 guarantees."""
    return system_from_arrays([[0, 10.0, 0], [0, 0, 0], [0, 0, 0]], assets, outside, guarantees=(guarantee,))


# Fails as of f802f40 where the guarantor has a lower number than the beneficiary: `settle` ends after a sweep in which
# no share lost moved, though what the guarantor owes did, and the guarantor was not visited again. Its creditors then
# lose nothing.
@pytest.mark.parametrize("numbers", list(permutations(range(3))))
def test_a_guarantor_that_cannot_pay_in_full_pays_pro_rata(numbers):
    """The borrower keeps two of ten: the lender loses 8. The guarantor owes these 8 and outsiders 4 and has 6: it pays
    half, 4. The lender, with own debts of 3, has 2 + 4 - 3 = 3; the guarantor 6 - 12 = -6; whoever has which number."""
    lender, borrower, guarantor = numbers
    exposures, balance = np.zeros((3, 3)), np.zeros((3, 3))
    exposures[lender, borrower] = 10.0
    balance[:, lender], balance[:, borrower], balance[:, guarantor] = (0, 3, 0), (12, 0, 10), (6, 4, 0)
    assets, outside, losses = balance
    system = system_from_arrays(
        exposures, assets, outside, guarantees=(Guarantee(guarantor, lender, "claims", borrower),)
    )
    found = clear(system, losses)
    order = [lender, borrower, guarantor]
    np.testing.assert_allclose(found.loss_by_channel["guarantees"][0, order], [-4, 0, 8], atol=1e-10)
    np.testing.assert_allclose(found.equity[0, order], [3, -8, -6], atol=1e-10)
    assert not clear(system, np.zeros(3)).loss_by_channel["guarantees"].any()


@pytest.mark.parametrize(("rank", "received"), [(1, 4.0), (2, 2.0)])
def test_a_guarantee_of_the_second_rank_waits_for_the_first(rank, received):
    """The same; in the second rank outsiders get 4 of the 6 first, and 2 are left for the 8."""
    system = lender_borrower_guarantor(Guarantee(2, 0, "claims", 1, rank=rank), [0.0, 12.0, 6.0], [3.0, 0.0, 4.0])
    np.testing.assert_allclose(clear(system, [0.0, 10.0, 0.0]).equity[0], [received - 1, -8, -6], atol=1e-10)


@pytest.mark.parametrize(
    ("share", "deductible", "limit", "due"),
    [
        (1.0, 0.0, np.inf, 8.0),
        (0.5, 0.0, np.inf, 4.0),
        (0.5, 2.0, np.inf, 3.0),
        (0.5, 2.0, 2.5, 2.5),
        (1.0, 9.0, np.inf, 0.0),
    ],
)
def test_share_deductible_and_limit(share, deductible, limit, due):
    """A rich guarantor pays min(limit, share (8 - deductible)) in full."""
    promise = Guarantee(2, 0, "claims", 1, share=share, deductible=deductible, limit=limit)
    found = clear(lender_borrower_guarantor(promise, [0.0, 12.0, 60.0], [3.0, 0.0, 4.0]), [0.0, 10.0, 0.0])
    np.testing.assert_allclose(found.equity[0], [2 + due - 3, -8, 56 - due], atol=1e-10)


def test_a_guarantor_that_is_owed_by_the_one_it_guarantees():
    """1 pays nothing: 0 loses ten, 2 owes 0 ten beside four to outsiders. 0 has 1, owes 2 six and outsiders two. 2 has
    2.
    V2 = (2 + 6 V0) / 14, V0 = (1 + 10 V2) / 8: V2 = (2.75 + 7.5 V2) / 14 = 2.75 / 6.5 = 11/26, V0 = (136/26) / 8 =
    17/26.
    E0 = 8 (V0 - 1) = -36/13, E2 = 14 (V2 - 1) = -105/13."""
    system = system_from_arrays(
        [[0, 10.0, 0], [0, 0, 0], [6.0, 0, 0]],
        [1.0, 12.0, 2.0],
        [2.0, 0.0, 4.0],
        guarantees=(Guarantee(2, 0, "claims", 1),),
    )
    found = clear(system, [0.0, 12.0, 0.0])
    np.testing.assert_allclose(found.initial_equity, [3, 2, 4], atol=1e-12)
    np.testing.assert_allclose(found.value[0, [0, 1]], [17 / 26, 0], atol=1e-10)
    np.testing.assert_allclose(found.equity[0], [-36 / 13, -10, -105 / 13], atol=1e-9)


# Fails for the unlimited support where the parent has the lower number, for the reason above: V of the parent stays 1,
# E below 0.
@pytest.mark.parametrize("parent", [0, 1])
@pytest.mark.parametrize(("limit", "expected"), [(0.0, (4.0, -7.0)), (4.0, (0.0, -3.0)), (np.inf, (-3.0, -21 / 13))])
def test_support_can_bring_the_parent_down(limit, expected, parent):
    """The parent has 10 and owes outsiders 6; the subsidiary lacks 7. Unlimited support: the parent owes 13, pays 10/13
    of all, so the subsidiary gets 70/13 and still lacks 21/13; both fail, and outsiders of the parent lose 6 * 3/13.
    Limited to 4: the parent pays all it is worth and stands at 0."""
    both = [parent, 1 - parent]
    assets, outside, losses = np.array([[10.0, 20.0], [6.0, 15.0], [0.0, 12.0]])[:, both]
    promise = Guarantee(parent, 1 - parent, "shortfall", limit=limit)
    found = clear(system_from_arrays(np.zeros((2, 2)), assets, outside, guarantees=(promise,)), losses)
    np.testing.assert_allclose(found.equity[0, both], expected, atol=1e-10)
    assert found.default[0, parent] == (expected[0] < 0)


# Fails for parent 0 and child 1, for the same reason.
@pytest.mark.parametrize(("parent", "child"), [(0, 1), (1, 0)])
def test_a_creditor_of_the_parent_pays_for_the_subsidiary(parent, child):
    """As above without limit, and 2 lent the parent three of its six: it loses 3 * 3/13 = 9/13. What all have in the
    end, 10 + 8 + 1, is what outsiders and 2 get: 3 * 10/13 and 15 - 21/13 and 4 - 9/13."""
    exposures, assets, outside = np.zeros((3, 3)), np.ones(3), np.zeros(3)
    exposures[2, parent] = 3.0
    assets[[parent, child]], outside[[parent, child]] = (10.0, 20.0), (3.0, 15.0)
    losses = np.where(np.arange(3) == child, 12.0, 0.0)
    system = system_from_arrays(exposures, assets, outside, guarantees=(Guarantee(parent, child, "shortfall"),))
    found = clear(system, losses)
    np.testing.assert_allclose(found.equity[0, [parent, child, 2]], [-3, -21 / 13, 4 - 9 / 13], atol=1e-10)
    np.testing.assert_allclose(found.value[0, parent], 10 / 13, atol=1e-10)


def test_insurance_of_an_own_loss_by_an_insurer_that_is_short():
    """1 loses 10; cover 3/4 beyond 2 is 6. The insurer has 5, owes outsiders 4 and 1 six: V = 1/2, 3 received. E1 = 12
    - 10 + 3 = 5, E0 = 5 - 10 = -5."""
    promise = Guarantee(0, 1, "own-loss", share=0.75, deductible=2.0)
    system = system_from_arrays(np.zeros((2, 2)), [5.0, 12.0], [4.0, 0.0], guarantees=(promise,))
    np.testing.assert_allclose(clear(system, [0.0, 10.0]).equity[0], [-5, 5], atol=1e-10)


def test_two_who_support_one_after_the_other():
    """2 lacks 7. 0 promised up to 4, then 1 up to 10: 0 pays 4, 1 pays 3, and 2 stands at nought."""
    promises = (Guarantee(0, 2, "shortfall", limit=4.0), Guarantee(1, 2, "shortfall", limit=10.0))
    system = system_from_arrays(np.zeros((3, 3)), [9.0, 9.0, 20.0], [1.0, 1.0, 15.0], guarantees=promises)
    np.testing.assert_allclose(clear(system, [0.0, 0.0, 12.0]).equity[0], [4, 5, 0], atol=1e-10)
