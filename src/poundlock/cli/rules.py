"""The command `rules`: which rules stand on a date, and whether a plan keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poundlock.cli.screen import console_of_results, print_json, refuse, refuse_problems
from poundlock.problems import Problem, ProblemsFound

if TYPE_CHECKING:
    from poundlock.rules import Compliance, Rule

SHOWN = 30
DRAFT = "draft, never binds"


def rules_command(
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLAN.yaml",
            help="A plan to hold against the rules; without it they are listed.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATE",
            help="The day, as 2022-01-01. Without it: all rules with their dates; for a plan, the day that it says.",
            show_default=False,
        ),
    ] = None,
    jurisdiction: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only these rules: a jurisdiction that comes with the package, or, without a plan, a table FILE.csv of your own.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help=f"Also the rules that are not in force on the day; for a plan, more than {SHOWN} rows a table.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
    ] = False,
) -> None:
    """Which rules stand on a day, and, with a plan, who keeps and who breaches them.

    Drafts are shown and never bind. What no figure can show is listed with the reason.

    Examples:

    poundlock rules --on 2022-01-01 --jurisdiction china

    poundlock rules examples/zhejiang/plan.yaml
    """
    day = _day(on)
    try:
        chosen = _chosen(jurisdiction, plan is not None)
        if plan is None:
            _list(chosen, day, everything, json)
        else:
            ids = {rule.id for group in chosen.values() for rule in group}
            _check(plan, day, ids if jurisdiction is not None else None, everything, json)
    except ProblemsFound as found:
        refuse_problems(found, plan or jurisdiction, json)


def _day(text: str | None) -> date | None:
    from poundlock.rules.rule import day_of

    day = day_of(text) if text is not None else None
    if text is not None and day is None:
        refuse(f"--on '{text}' is no date. Cure: write a day such as 2022-01-01.")
    return day


def _chosen(jurisdiction: str | None, with_plan: bool) -> Mapping[str, Sequence[Rule]]:
    """Rules by jurisdiction."""
    from poundlock.rules import jurisdictions, of_jurisdiction, read_rules

    if jurisdiction is None:
        return {name: of_jurisdiction(name) for name in jurisdictions()}
    if jurisdiction in jurisdictions():
        return {jurisdiction: of_jurisdiction(jurisdiction)}
    if with_plan or not jurisdiction.endswith(".csv"):
        own = "" if with_plan else ", or a table FILE.csv"
        refuse(f"no jurisdiction '{jurisdiction}'. Cure: name one of {', '.join(jurisdictions())}{own}.")
    problems: list[Problem] = []
    found = read_rules(Path(jurisdiction), problems, ("--jurisdiction", None))
    if found is None:
        raise ProblemsFound(problems)
    return {jurisdiction: found}


def _list(chosen: Mapping[str, Sequence[Rule]], on: date | None, everything: bool, json: bool) -> None:
    shown = {
        name: [r for r in group if on is None or everything or r.in_force(on) or r.proposed(on)]
        for name, group in chosen.items()
    }
    if json:
        listed = [_as_json(rule, name, on) for name, group in shown.items() for rule in group]
        print_json({"on": on.isoformat() if on else None, "rules": listed})
        return
    console = console_of_results()
    for name, group in shown.items():
        when = f", on {on}" if on else ""
        console.print(Text.assemble("\n", (name, "bold"), f"{when}: {len(group)} of {len(chosen[name])} rules"))
        if group:
            console.print(_rules_table(group, on))


def _as_json(rule: Rule, jurisdiction: str, on: date | None) -> dict[str, Any]:
    fields = {k: v.isoformat() if isinstance(v, date) else v for k, v in asdict(rule).items()}
    return {"jurisdiction": jurisdiction} | fields | ({"binds_on_the_day": rule.in_force(on)} if on else {})


def _rules_table(group: Sequence[Rule], on: date | None) -> Table:
    table = _table("Rule", "What", "Whom", "In force", "Status", "Where", ratios=(0, 5, 3, 0, 0, 6))
    for rule in group:
        gone = on is not None and not rule.in_force(on) and not rule.proposed(on)
        status = DRAFT if rule.status == "draft" else rule.status + (", not on this day" if gone else "")
        cells = rule.id, rule.said(), rule.applies_to, _span(rule), status, rule.place()
        table.add_row(*map(Text, cells), style="dim" if gone or rule.status == "draft" else "")
    return table


def _span(rule: Rule) -> str:
    if rule.in_force_from is None:
        return f"issued {rule.issued}"
    return f"from {rule.in_force_from}" + (f" to {rule.in_force_until}" if rule.in_force_until else "")


def _check(plan: Path, on: date | None, ids: set[str] | None, everything: bool, json: bool) -> None:
    """ids: of the rules that are shown; None for all that the plan is held against, its own tables among them."""
    from poundlock.desk import rules_check

    answer = rules_check(plan, on)
    settings = {
        name: [c for c in found if ids is None or c.rule.id in ids]
        for name, found in (answer.settings or {"": answer.found}).items()
    }
    silent = [(rule, why) for rule, why in answer.unevaluated if ids is None or rule.id in ids]
    if json:
        print_json(
            {
                "on": answer.on.isoformat(),
                "found": [_compared(c) for c in answer.found if ids is None or c.rule.id in ids],
                "settings": {name: [_compared(c) for c in found] for name, found in settings.items() if name},
                "unevaluated": [{"rule": rule.id, "why": why} for rule, why in silent],
            }
        )
        return
    console = console_of_results()
    for name, found in settings.items():
        _print_setting(console, name, answer.on, found, everything)
    if silent:
        console.print(Text.assemble("\n", ("Not evaluated", "bold"), f": {len(silent)} rules in force on {answer.on}"))
        table = _table("Rule", "What", "Why", ratios=(0, 5, 4))
        for rule, why in silent:
            table.add_row(*map(Text, (rule.id, rule.said(), why)))
        console.print(table)
    if not silent and not any(settings.values()):
        named = "none of the rules that were asked for" if ids is not None else "no rule that this plan is held against"
        said = f"{named[0].upper()}{named[1:]} stands on {answer.on}."
        said += " Cure: another day; or, where the plan names no rules, name them under 'rules'."
        console.print(Text(said), soft_wrap=True)


def _compared(c: Compliance) -> dict[str, Any]:
    numbers = {"value": c.fact.value, "limit": c.rule.limit, "excess": c.excess}
    return {
        "rule": c.rule.id,
        "quantity": c.fact.quantity,
        "who": c.fact.who,
        "kind": c.fact.kind,
        "against": c.fact.against,
        "operator": c.rule.operator,
        **{k: v if v is not None and math.isfinite(v) else None for k, v in numbers.items()},
        "standing": c.standing,
        "binding": c.binding,
        "words": c.fact.words,
    }


def _print_setting(console: Console, name: str, on: date, found: Sequence[Compliance], everything: bool) -> None:
    """A line for each rule; then breaches one by one, of what binds first, then of drafts; all comparisons where everything is asked for."""
    from poundlock.figures.programme_charts import rule_summaries

    ordered = sorted(found, key=lambda c: (c.standing != "breached", not c.binding))
    breaches = sum(c.standing == "breached" and c.binding for c in found)
    said = f"{len(found)} comparisons on {on}, {breaches} binding {'breach' if breaches == 1 else 'breaches'}"
    console.print(Text.assemble("\n", "Terms: " if name else "", (name, "bold"), ": " if name else "", said))
    if not found:
        return
    summary = _table("Rule", "Standing", "Nearest to the limit, or farthest beyond", ratios=(6, 3, 4))
    for said_of, _, standing, worst in rule_summaries(found):
        summary.add_row(*map(Text, (said_of, standing, worst)))
    console.print(summary)
    ordered = ordered if everything else [c for c in ordered if c.standing == "breached"]
    if not ordered:
        return
    console.print()
    table = _table("Rule", "Who", "Against", "Found", "Limit", "Standing", "By", ratios=(4, 3, 3, 0, 0, 0, 0))
    shown = ordered if everything else ordered[:SHOWN]
    for c in shown:
        broken = "bold red" if c.binding else "yellow"
        standing = c.standing if c.binding else f"{c.standing} ({DRAFT})"
        table.add_row(
            *map(Text, (f"{c.rule.id} {c.fact.quantity}", c.fact.who, c.fact.against or "–")),
            _figure(c, c.fact.value),
            f"{c.rule.operator} {_figure(c, c.rule.limit or 0.0)}",
            Text(standing, style=broken if c.standing == "breached" else "green"),
            _figure(c, c.excess) if c.standing == "breached" else "–",
        )
    console.print(table)
    if len(shown) < len(ordered):
        console.print(Text(f"... and {len(ordered) - len(shown)} more; --all prints them.", style="dim"))


def _figure(c: Compliance, value: float) -> str:
    """A share as per cent; what is banned, as money."""
    if value == float("inf"):
        return "over nothing"
    return f"{value:,.6g}" if c.rule.operator == "ban" else f"{100.0 * value:.4g}%"


def _table(*columns: str, ratios: Sequence[int]) -> Table:
    """ratio 0: as wide as its words, never wrapped."""
    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 2, 0, 0), expand=True)
    for name, ratio in zip(columns, ratios, strict=True):
        table.add_column(name, ratio=ratio or None, no_wrap=not ratio)
    return table
