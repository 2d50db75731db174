"""Stacking of supports, and cover that promises more than the loss."""

from __future__ import annotations

from math import inf

from poundlock.system.contingent import Guarantee, covered_too_often, towers


def test_supports_of_one_shortfall_stand_on_each_other():
    given = (
        Guarantee(3, 0, "shortfall", share=0.5, limit=2.0),
        Guarantee(4, 1, "shortfall", limit=9.0),
        Guarantee(5, 0, "shortfall", limit=3.0),
        Guarantee(6, 0, "own-loss", limit=1.0),
    )
    stacked = towers(given)
    assert [(g.guarantor, g.deductible) for g in stacked] == [(6, 0.0), (3, 0.0), (5, 4.0), (4, 0.0)]


def test_after_an_unlimited_support_nothing_is_left():
    _, second = towers((Guarantee(3, 0, "shortfall"), Guarantee(5, 0, "shortfall", limit=3.0)))
    assert second.deductible == inf


def test_cover_beyond_the_loss_is_found_where_it_begins():
    given = (
        Guarantee(2, 0, "claims", 1, share=0.6, limit=3.0),
        Guarantee(3, 0, "claims", 1, share=0.6, deductible=2.0),
        Guarantee(3, 0, "claims", 4, share=0.6),
    )
    assert covered_too_often(given) == [(1, 1.2)]


def test_cover_in_turn_is_not_too_much():
    given = (
        Guarantee(2, 0, "claims", 1, limit=3.0),
        Guarantee(3, 0, "claims", 1, deductible=3.0),
        Guarantee(4, 0, "shortfall"),
        Guarantee(4, 0, "shortfall"),
    )
    assert covered_too_often(given) == []
