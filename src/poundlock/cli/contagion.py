"""The command `contagion`: how far a shock goes, or who could hurt others most."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poundlock.cli.screen import console_of_results, interrupted, progress, refuse, refuse_problems
from poundlock.problems import ProblemsFound

if TYPE_CHECKING:
    from poundlock.contagion import Propagation
    from poundlock.desk.spread import SpreadAnswer

SHOWN = 20
Words = list[str] | None
Number = float | None


def contagion_command(
    system: Annotated[
        Path,
        typer.Argument(
            metavar="SYSTEM.yaml", help="A system file, or a plan, whose system is used.", show_default=False
        ),
    ],
    shock: Annotated[
        Words,
        typer.Option(
            "--shock",
            metavar="NAME[=LOSS]",
            help="Who is hit: NAME loses all its equity (by clearing, that alone fails nobody), NAME=5000 that much money, NAME=10% of its external assets. NAME is "
            "an id, kind:KIND, region:REGION or all. May be repeated.",
            show_default=False,
        ),
    ] = None,
    outage: Annotated[
        Words,
        typer.Option("--outage", metavar="NAME=DAYS", help="A provider stops serving for so long.", show_default=False),
    ] = None,
    run: Annotated[
        Words,
        typer.Option(
            "--run", metavar="NAME=SHARE%", help="Customers withdraw that share of its balances.", show_default=False
        ),
    ] = None,
    scenarios: Annotated[
        Path | None,
        typer.Option(
            "--scenarios",
            metavar="FILE.csv",
            help="Named scenarios: scenario, institution, loss or loss_share [, outage_days, run].",
            show_default=False,
        ),
    ] = None,
    valuation: Annotated[
        str | None,
        typer.Option(
            help="clearing, default-costs, default-only, linear-debtrank, exponential-debtrank or merton; default: what the file "
            "says, else clearing; linear-debtrank for a ranking.",
            show_default=False,
        ),
    ] = None,
    recovery: Annotated[
        Number, typer.Option(help="Share of a claim that a failed debtor leaves, 0 to 1.", show_default=False)
    ] = None,
    alpha: Annotated[
        Number, typer.Option(help="default-costs: realised of external assets, 0 to 1.", show_default=False)
    ] = None,
    beta: Annotated[
        Number, typer.Option(help="default-costs: realised of claims on others, 0 to 1.", show_default=False)
    ] = None,
    exponent: Annotated[Number, typer.Option(help="exponential-debtrank: 0 is linear.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for result.json, institutions.csv, scenarios.csv and contagion.svg. Without it nothing is written.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
    ] = False,
) -> None:
    """How far a shock goes: who loses what, through which channel, and who fails.

    Without --shock, --outage, --run or --scenarios, every institution is failed once, alone: who could hurt others most.

    Examples:

    poundlock contagion examples/contagion/system.yaml --shock bank-1 --shock kind:platform=10%

    poundlock contagion examples/europe-2015/plan.yaml
    """
    given = {"valuation": valuation, "recovery": recovery, "alpha": alpha, "beta": beta, "exponent": exponent}
    chosen = {name: value for name, value in given.items() if value is not None}
    if out is not None and out.exists() and not out.is_dir():
        refuse(f"{out} is a file; --out needs a folder. Cure: name another place.")
    try:
        answer, written = _answered(system, shock, outage, run, scenarios, out, chosen)
    except ProblemsFound as found:
        refuse_problems(found, system, json)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; nothing could be written there. Cure: name another --out.")
    from poundlock.figures.spread_files import spread_json_text

    if json:
        sys.stdout.write(spread_json_text(answer))
    else:
        _print(answer)
    for path in written:
        Console(stderr=json).print(Text(f"Written: {path}"), soft_wrap=True)


def _answered(
    system: Path,
    shock: Words,
    outage: Words,
    run: Words,
    scenarios: Path | None,
    out: Path | None,
    chosen: dict[str, Any],
) -> tuple[SpreadAnswer, tuple[Path, ...]]:
    from poundlock.desk.spread import spread
    from poundlock.figures.spread_files import write_spread

    with progress(f"Contagion in {system.name}", 0) as report:
        answer = spread(
            system,
            shocks=shock or (),
            outages=outage or (),
            runs=run or (),
            scenarios=scenarios,
            progress=lambda done: report("institutions failed, one by one", done),
            **chosen,
        )
        return answer, write_spread(answer, out) if out is not None else ()


def _print(answer: SpreadAnswer) -> None:
    console = console_of_results()
    console.print(Text.assemble("\n", (answer.title, "bold")))
    console.print(Text(f"{answer.origin.capitalize()} system: {answer.note}", style="dim"))
    if answer.ranking is not None:
        console.print(_ranking_table(answer))
        console.print(Text(f"\n{answer.ranking!r}"), soft_wrap=True)
        return
    if answer.outcome is None or answer.scenarios is None:
        return
    count = len(answer.outcome.equity)
    console.print(_institutions(answer.outcome) if count == 1 else _scenarios(answer))
    console.print(Text(f"\n{answer.outcome!r}"), soft_wrap=True)


def _table(*columns: str) -> Table:
    """First column of words that may wrap, then numbers."""
    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(
            name, justify="left" if number == 0 else "right", no_wrap=number > 0, min_width=0 if number else 18
        )
    return table


def _ranking_table(answer: SpreadAnswer) -> Table:
    found = answer.ranking
    table = _table("Institution", "Others lose", f"{found.model.system.unit if found else ''}", "Own mean loss")
    if found is None:
        return table
    ranked = np.flatnonzero(found.counted)
    for i in ranked[np.argsort(-found.importance[ranked], kind="stable")][:SHOWN]:
        shares = f"{found.importance[i]:.2%}", f"{found.loss_to_others[i]:,.6g}", f"{found.vulnerability[i]:.2%}"
        table.add_row(found.model.system.names[i], *shares)
    return table


def _institutions(outcome: Propagation) -> Table:
    """Those that lost most, and through what."""
    system, lost = outcome.model.system, outcome.equity_lost[0]
    parts = {name: part[0] for name, part in outcome.equity_lost_by_channel.items()}
    table = _table("Institution", "Equity", "lost", "claims on it worth", "")
    table.add_column(f"Through ({system.unit})", min_width=20)
    for i in np.argsort(-lost, kind="stable")[:SHOWN]:
        if lost[i] <= 0.0:
            break
        state = "failed" if outcome.default[0, i] else "illiquid" if outcome.illiquid[0, i] else ""
        through = ", ".join(f"{name} {part[i]:,.4g}" for name, part in parts.items() if part[i] != 0.0)
        cells = [f"{outcome.initial_equity[i]:,.6g}", f"{lost[i]:,.6g}", f"{outcome.value[0, i]:.2%}"]
        table.add_row(system.names[i], *cells, Text(state, style="red"), through)
    return table


def _scenarios(answer: SpreadAnswer) -> Table:
    from poundlock.figures.spread_files import scenario_table

    table = _table("Scenario", "Equity lost", "of all", "by the shock alone", "failures", "converged")
    for row in scenario_table(answer).to_pylist()[:SHOWN]:
        amounts = f"{row['equity_lost']:,.6g}", f"{row['share_of_equity']:.2%}", f"{row['equity_lost_to_shock']:,.6g}"
        table.add_row(
            row["scenario"], *amounts, str(row["failures"]), "yes" if row["converged"] else Text("NO", style="red")
        )
    return table
