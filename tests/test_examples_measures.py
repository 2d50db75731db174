"""The small plan of every kind of measure: it runs, says who bears what, and makes the point of its how-to page."""

from __future__ import annotations

from pathlib import Path

import pytest

from poundlock import run
from poundlock.figures import report_html
from poundlock.figures.programme_charts import ORDER, bearers, controllable_words

FOLDER = Path(__file__).parent.parent / "examples" / "measures"
KINDS = sorted(one.name for one in FOLDER.iterdir() if one.is_dir())
FIRST_TO_BEAR = {
    "equipment-insurance": {"insurer", "reinsurer"},
    "group-linkage": {"subsidiary", "investment-subsidiary", "leasing-subsidiary", "bank", "parent-bank"},
    "loan-with-investment": {"investor", "fund"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_runs_and_adds_up(kind: str):
    answer = run(FOLDER / kind / "plan.yaml")
    (study,) = answer.programme.studies
    assert answer.plan.measures[0].kind == kind
    assert answer.programme.gap < 1e-9
    assert study.granted > 0.0
    assert 0.0 < study.consented < 1.0, "somebody has not joined, or has left"
    assert controllable_words(answer, study).removesuffix(", in doubt") in ORDER
    assert answer.programme.together == study.alone == study.added, "one measure alone is all there is"
    assert answer.rules.found, "something is held against rules"
    if kind in FIRST_TO_BEAR:
        assert bearers(study)[0][0] in FIRST_TO_BEAR[kind]
    html = report_html(answer)
    assert f"<h3>{study.id}</h3>" in html
    assert "Which rules are kept?" in html
