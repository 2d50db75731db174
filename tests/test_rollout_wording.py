"""Findings and verdicts in words: complete, escaped, and short where they are printed."""

from __future__ import annotations

from poundlock.evidence import Evidence
from poundlock.rollout.gate import Finding, verdict
from poundlock.rollout.wording import interval, level_words

FOUND = Evidence(
    "tail", 0.2, "share", "2024-12-31", "mean of the worst years", "abcdef0123456789", 0.19, 0.22, 0.95, 7, 10_000
)
NONE = Evidence("effect", None, "log points", "2024", "synthetic control", "abc", missing="no donor <is> left")


def two() -> tuple[Finding, Finding]:
    return (
        Finding(
            "tail", "Is it <held>?", "pass", FOUND, "at most 25.00 %", "the whole interval is within", "more losses"
        ),
        Finding("effect", "Did it work?", "no data", NONE, "above 0", NONE.missing, "the missing figures"),
    )


def test_a_finding_explains_its_rule_inputs_numbers_and_what_would_change_it():
    said = two()[0].explain()
    for words in (
        "Is it <held>? PASS",
        "Rule: at most 25.00 %.",
        "Inputs: tail as of 2024-12-31, mean of the worst years, 10,000 scenarios, seed 7, digest abcdef012345.",
        "Numbers: 20.00 %, interval 19.00 % to 22.00 % (95%).",
        "Why: the whole interval is within.",
        "What would change it: more losses.",
    ):
        assert words in said
    assert "Numbers: no donor <is> left." in two()[1].explain()


def test_a_verdict_prints_a_line_for_each_finding_and_explains_all():
    found = verdict(two())
    assert repr(found).splitlines()[0].startswith("Verdict: no data.")
    assert len(repr(found).splitlines()) == 3
    assert found.explain().count("What would change it") == 2


def test_a_verdict_in_a_notebook_is_a_table_whose_words_are_no_markup():
    html = verdict(two())._repr_html_()
    assert html.count("<tr>") == 3
    assert "Is it &lt;held&gt;?" in html
    assert "no donor &lt;is&gt; left" in html


def test_what_was_not_asked_is_never_left_out():
    found = verdict(two()[:1], [("Did it work?", "No measure <yet>.")])
    assert "not asked    Did it work? No measure <yet>." in repr(found)
    assert "Did it work? NOT ASKED\n  Why: No measure <yet>." in found.explain()
    assert "<td>not asked</td><td>No measure &lt;yet&gt;.</td>" in found._repr_html_()


def test_why_there_is_no_interval():
    assert interval(NONE) == "–"
    assert interval(Evidence("gini", 0.1, "index", "2024", "m", "d")) == "none (no sampling error given)"


def test_levels_are_told_apart():
    """Intervals of growing numbers of scenarios are at 1 - 0.05 / looks; a tail of one year in a thousand is not 0 %."""
    levels = (0.95, 1 - 0.05 / 2, 1 - 0.05 / 12, 0.9999, 6 / 7, 1 - 0.999)
    assert [level_words(level) for level in levels] == ["95%", "97.5%", "99.6%", "99.99%", "85.7%", "0.1%"]
