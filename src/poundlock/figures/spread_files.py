"""What `contagion` leaves behind: tables of institutions and scenarios, the figure, and the machine-readable form."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from poundlock.contagion import FireSales, Funding
from poundlock.contagion.charts import importance_figure, propagation_figure
from poundlock.desk.spread import SpreadAnswer
from poundlock.figure import Figure, svg
from poundlock.figures.files import write_whole

FORMAT = 1


def scenario_table(answer: SpreadAnswer) -> pa.Table:
    """A row for each scenario: equity lost, by the shock alone and by channel, failures, convergence."""
    asked, outcome = answer.scenarios, answer.outcome
    if asked is None or outcome is None:
        raise ValueError("no scenario was asked for")
    total = float(np.maximum(outcome.initial_equity, 0.0).sum())
    lost = outcome.equity_lost.sum(axis=1)
    columns: dict[str, Any] = {
        "scenario": list(asked.labels),
        "equity_lost": lost,
        "share_of_equity": lost / total if total > 0 else np.zeros_like(lost),
        "equity_lost_to_shock": outcome.equity_lost_to_shock.sum(axis=1),
        "failures": outcome.default.sum(axis=1),
        "illiquid": outcome.illiquid.sum(axis=1),
    }
    columns |= {f"loss_{channel}": loss.sum(axis=1) for channel, loss in outcome.loss_by_channel.items()}
    columns |= {"rounds": outcome.rounds, "gap": outcome.gap, "converged": outcome.converged}
    return pa.table(columns)


def institution_table(answer: SpreadAnswer) -> pa.Table:
    """A row for each institution, and scenario where there are any."""
    if answer.ranking is not None:
        return answer.ranking.to_arrow()
    asked, outcome = answer.scenarios, answer.outcome
    if asked is None or outcome is None:
        raise ValueError("nothing was asked for")
    table = outcome.to_arrow()
    labels = [asked.labels[s] for s in table.column("scenario").to_pylist()]
    return table.set_column(0, "scenario", pa.array(labels, pa.string()))


def figure(answer: SpreadAnswer) -> Figure:
    """The one figure that answers what was asked."""
    if answer.outcome is not None:
        return propagation_figure(answer.outcome)
    if answer.ranking is None:
        raise ValueError("nothing was asked for")
    return importance_figure(answer.ranking)


def spread_json(answer: SpreadAnswer) -> dict[str, Any]:
    """Everything that is printed, as JSON values. Shares are fractions; money is in `unit`."""
    found = answer.outcome.model if answer.outcome is not None else answer.ranking.model if answer.ranking else None
    plain = {
        "format": FORMAT,
        "title": answer.title,
        "origin": answer.origin,
        "note": answer.note,
        "unit": found.system.unit if found else "",
        "settings": {k: asdict(v) if isinstance(v, FireSales | Funding) else v for k, v in answer.settings.items()},
    }
    if answer.outcome is not None:
        plain["scenarios"] = scenario_table(answer).to_pylist()
    if answer.ranking is not None:
        ranking = answer.ranking
        plain["ranking"] = {
            "valuation": ranking.valuation,
            "amplification": ranking.amplification,
            "converged": ranking.converged,
            "rounds": ranking.rounds,
            "gap": ranking.gap,
        }
    plain["institutions"] = institution_table(answer).to_pylist()
    inputs = [{"file": f.name, "sha256": f.digest} for f in answer.inputs]
    return {**plain, "provenance": {"version": answer.version, "inputs": inputs, "digest": answer.digest}}


def spread_json_text(answer: SpreadAnswer) -> str:
    """As it is printed and written."""
    return json.dumps(spread_json(answer), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_spread(answer: SpreadAnswer, folder: Path) -> tuple[Path, ...]:
    """Write result.json, institutions.csv, scenarios.csv (where there are any) and contagion.svg, all or none."""
    contents = {"result.json": spread_json_text(answer), "institutions.csv": _csv(institution_table(answer))}
    if answer.outcome is not None:
        contents["scenarios.csv"] = _csv(scenario_table(answer))
    contents["contagion.svg"] = svg(figure(answer)) + "\n"
    return write_whole(folder, contents)


def _csv(table: pa.Table) -> str:
    sink = io.BytesIO()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(quoting_style="needed"))
    return sink.getvalue().decode()
