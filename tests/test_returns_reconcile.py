"""Two institutions that tell of one claim, a balance sheet that tells of its exposures, a period and the one before."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.problems import Problem
from poundlock.returns import Filed, against_last, between


def exposures(institution: str, *rows: tuple[str, str, str, str], period: str = "2026-09", **more) -> Filed:
    names = ("side", "counterparty", "layer", "amount")
    table = tuple(
        {**dict(zip(names, row, strict=True)), "maturity_days": 30 + k, "recovery": None} for k, row in enumerate(rows)
    )
    return Filed("exposures", institution, period, "", 0, len(table), table=table, **more)


def sheet(institution: str, **items: str) -> Filed:
    table = tuple({"item": name.replace("_", "-"), "amount": value} for name, value in items.items())
    return Filed("balance-sheet", institution, "2026-09", "", 0, len(table), table=table)


def test_a_lender_and_a_borrower_who_differ_are_told_with_both_numbers():
    found = between(
        [exposures("i", ("lent", "j", "interbank", "10")), exposures("j", ("borrowed", "i", "interbank", "8"))]
    )
    assert [(m.sort, m.by, m.to, m.says, m.other, m.difference) for m in found] == [
        ("amount", "i", "j", "10", "8", "2")
    ]
    assert str(found[0]) == "i says 10 of interbank lent, and j 8: a difference of 2"


def test_what_differs_by_no_more_than_the_tolerance_is_let_be():
    filings = [exposures("i", ("lent", "j", "x", "10")), exposures("j", ("borrowed", "i", "x", "8"))]
    assert between(filings, tolerance=Decimal(2)) == ()
    assert len(between(filings, tolerance=Decimal("1.99"))) == 1


def test_claims_of_several_maturities_are_summed_before_they_are_compared():
    assert not between(
        [exposures("i", ("lent", "j", "x", "4"), ("lent", "j", "x", "6")), exposures("j", ("borrowed", "i", "x", "10"))]
    )


def test_a_side_that_its_counterparty_leaves_out_is_told():
    found = between([exposures("i", ("lent", "j", "x", "10")), exposures("j", ("borrowed", "i", "y", "3"))])
    assert [(m.by, m.to, m.about, m.says, m.other, m.difference) for m in found] == [
        ("i", "j", "x lent", "10", None, "10"),
        ("j", "i", "y owed", "3", None, "3"),
    ]


def test_a_counterparty_that_filed_nothing_is_not_compared():
    assert between([exposures("i", ("lent", "household", "x", "10"))]) == ()


def test_exposures_are_held_against_the_balance_sheet():
    lending = exposures("i", ("lent", "a", "x", "10"), ("borrowed", "b", "x", "7"))
    assert (
        between([lending, sheet("i", claims_on_institutions="10", owed_to_institutions="7", total_assets="50")]) == ()
    )
    found = between([lending, sheet("i", claims_on_institutions="12", total_liabilities="5", total_assets="50")])
    assert [(m.about, m.to, m.says, m.other, m.difference) for m in found] == [
        ("lent", "claims-on-institutions", "10", "12", "-2"),
        ("borrowed", "total-liabilities", "7", "5", "2"),
    ]


def test_filings_that_do_not_belong_together_are_a_mistake_in_code():
    with pytest.raises(ValueError, match="twice"):
        between([exposures("i"), exposures("i")])
    with pytest.raises(ValueError, match="periods 2026-08, 2026-09"):
        between([exposures("i"), exposures("j", period="2026-08")])
    with pytest.raises(ValueError, match="have errors"):
        between([exposures("i", errors=(Problem("f", 1, "a", "b", "c"),))])
    with pytest.raises(ValueError, match="against"):
        against_last(exposures("i"), exposures("j"))


def test_rows_that_moved_came_or_went_since_last_time_are_told():
    last = exposures("i", ("lent", "a", "x", "10"), ("lent", "b", "x", "10"), ("lent", "c", "x", "5"), period="2026-08")
    found = against_last(
        exposures("i", ("lent", "a", "x", "15"), ("lent", "b", "x", "15.01"), ("lent", "d", "x", "1")), last
    )
    assert [(m.about, m.says, m.other, m.difference) for m in found] == [
        ("lent b x", "15.01", "10", "5.01"),
        ("lent c x", "0", "5", "-5"),
        ("lent d x", "1", None, "1"),
    ]


CLAIMS = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("xy")).filter(lambda c: c[0] != c[1]),
    st.integers(1, 100),
)


@given(CLAIMS)
def test_when_both_sides_tell_the_same_nothing_differs(claims: dict[tuple[str, str, str], int]):
    filings = [
        exposures(
            name,
            *(("lent", debtor, layer, str(n)) for (creditor, debtor, layer), n in claims.items() if creditor == name),
            *(
                ("borrowed", creditor, layer, str(n))
                for (creditor, debtor, layer), n in claims.items()
                if debtor == name
            ),
        )
        for name in "abc"
    ]
    assert between(filings) == ()
    if claims:
        (creditor, debtor, layer), _ = next(iter(claims.items()))
        less = tuple(
            row
            for row in filings["abc".index(debtor)].table
            if (row["side"], row["counterparty"], row["layer"]) != ("borrowed", creditor, layer)
        )
        wrong = Filed("exposures", debtor, "2026-09", "", 0, 0, table=less)
        found = between([f for f in filings if f.institution != debtor] + [wrong])
        assert [(m.sort, m.by, m.to) for m in found] == [("one-sided", creditor, debtor)]
