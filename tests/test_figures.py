"""The report as a file: self-contained, complete, escaped, the same bytes for the same inputs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape

from poundlock.desk.system_file import Behaviour, Sales, Withdrawals
from poundlock.figure import VARIABLES, styled, svg
from poundlock.figures import report_html, write_report
from poundlock.figures.control_charts import frontier_figure
from poundlock.figures.pilot_charts import effect_figure, forest_figure, period_figure
from poundlock.figures.risk_charts import importance_figure, loss_figures
from poundlock.figures.whom_charts import inequality_figure


@pytest.fixture(scope="module")
def html(starter_run) -> str:
    return report_html(starter_run)


class Outline(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_nothing_is_loaded_from_anywhere(html: str):
    tags = Outline(html).tags
    assert not any(tag in ("script", "link", "iframe", "img", "object", "embed") for tag, _ in tags)
    assert not any(
        name in ("src", "href", "xlink:href") and value and not value.startswith("#")
        for _, a in tags
        for name, value in a.items()
    )
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_every_gate_and_every_question_is_there(html: str, starter_run):
    for finding in starter_run.verdict.findings:
        assert str(escape(finding.asks)) in html
    for heading in (
        "The gates",
        "What is tried?",
        "How far could losses spread?",
        "Can we hold it?",
        "Did it work?",
        "For whom?",
        "Provenance",
    ):
        assert f">{heading}</h2>" in html
    assert str(escape(starter_run.verdict.sentence)) in html


def test_what_is_synthetic_says_so_at_the_top_and_in_the_risk_sections(html: str):
    assert html.index('class="origin"') < html.index("<main>")
    assert html.count("Synthetic banking layer") >= 3


def test_a_question_not_asked_is_shown_as_such(europe):
    html = report_html(europe)
    assert html.count(">not asked</span>") == 2
    assert "Did it work?</h2>" not in html


def test_every_figure_has_words_and_data(starter_run):
    a = starter_run
    figures = [
        *loss_figures(a),
        importance_figure(a),
        inequality_figure(a.plan.pilot, a.pilot.whom),
        *(frontier_figure(a, s) for s in a.searches),
        *(effect_figure(a.plan.pilot, s) for s in a.studies),
        *(period_figure(s) for s in a.studies),
        *(forest_figure(a.plan.pilot, s, 0.0, 1.0) for s in a.studies),
    ]
    assert len(figures) == 7
    for figure in figures:
        assert figure.title
        assert len(figure.summary) > 40
        assert figure.rows
        assert {len(row) for row in figure.rows} == {len(figure.header)}
        assert styled(figure.chart).to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        drawn = svg(figure)
        assert drawn.startswith('<svg role="img" aria-label="')
        assert not any(f'"{colour}"' in drawn for colour in VARIABLES)


def test_words_of_a_plan_cannot_become_markup(starter_run):
    hostile = "</style><script>alert(1)</script>'\"; } <img src=x>\\"
    system = starter_run.plan.system.model_copy(update={"note": hostile})
    plan = starter_run.plan.model_copy(update={"title": hostile, "question": hostile, "system": system})
    html = report_html(replace(starter_run, plan=plan))
    assert html.count("</style>") == 1
    assert "<script" not in html
    assert "<img" not in html


def test_the_report_says_whether_runs_and_sales_are_counted(html: str, starter_run):
    assert "runs and forced sales are in neither." in html
    for behaviour, words in (
        (Behaviour(funding=Withdrawals()), "runs, as the plan states them, are in both, forced sales in neither."),
        (Behaviour(sales=Sales(rule="target")), "forced sales, as the plan states them, are in both, runs in neither."),
        (
            Behaviour(funding=Withdrawals(), sales=Sales()),
            "runs and forced sales, as the plan states them, are in both.",
        ),
    ):
        plan = starter_run.plan.model_copy(update={"contagion": behaviour})
        assert words in report_html(replace(starter_run, plan=plan))


def test_a_run_bounded_in_seconds_does_not_promise_the_same_bits(html: str, starter_run):
    assert "give the same numbers to the last bit." in html
    scenarios = starter_run.plan.scenarios.model_copy(update={"seconds": 60.0})
    bounded = report_html(replace(starter_run, plan=starter_run.plan.model_copy(update={"scenarios": scenarios})))
    assert "to the last bit" not in bounded
    assert "how many scenarios were drawn hangs on the machine" in bounded


def test_the_same_assessment_gives_the_same_bytes(html: str, starter_run):
    assert report_html(starter_run) == html


def test_a_failing_write_keeps_what_was_there(starter_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_report(starter_run, tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"report.html": "old"}
