"""The verb `spread`: how far a shock goes in the system of a file; without a shock, who could hurt others most."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poundlock.contagion import Importance, Propagation, importance, prepare, propagate
from poundlock.desk.shocks import Scenarios, one_scenario, table_of_scenarios
from poundlock.desk.system_file import PlanAsSystem, SystemFile
from poundlock.problems import Place, Problem, ProblemsFound
from poundlock.reading import InputFile, combined_digest, read_document, read_file
from poundlock.reading.yaml_text import plain_values
from poundlock.system import System, read_system
from poundlock.version import VERSION


@dataclass(frozen=True)
class SpreadAnswer:
    """title, origin, note: of the system. scenarios and outcome: what was asked and what came of it; or ranking, where
    nothing was. inputs, digest, version: to do it again. settings: the mechanism, as words."""

    title: str
    origin: str
    note: str
    scenarios: Scenarios | None = field(repr=False)
    outcome: Propagation | None = field(repr=False)
    ranking: Importance | None = field(repr=False)
    inputs: tuple[InputFile, ...] = field(repr=False)
    digest: str
    version: str
    settings: dict[str, Any]


def spread(
    path: str | Path,
    *,
    shocks: Sequence[str] = (),
    outages: Sequence[str] = (),
    runs: Sequence[str] = (),
    scenarios: str | Path | None = None,
    counted_out: Sequence[str] = ("rest",),
    progress: Callable[[int], None] | None = None,
    **mechanism: Any,
) -> SpreadAnswer:
    """Read a system file or a plan, apply the shock or each scenario of a table, and let losses spread.

    shocks, outages, runs: see `shocks.one_scenario`. scenarios: a CSV, see `shocks.table_of_scenarios`. With none of them, every
    institution is failed once, alone; kinds in counted_out are neither failed nor measured. mechanism: overrides the file's
    contagion section, as in `contagion.prepare`. Raises ProblemsFound with everything that is wrong.
    """
    path, problems = Path(path), list[Problem]()
    declared, system, inputs = _read(path, problems)
    asked: Scenarios | None = None
    if system is not None and scenarios is not None:
        asked = table_of_scenarios(system, Path(scenarios), problems)
        if shocks or outages or runs:
            found, cure = "--scenarios together with --shock, --outage or --run", "give one or the other"
            problems.append(Problem("--scenarios", None, found, "a table, or words", cure))
    elif system is not None and (shocks or outages or runs):
        asked = one_scenario(system, shocks, outages, runs, problems)
    if problems or system is None or declared is None:
        raise ProblemsFound(problems)
    settings = {**declared.contagion.mechanism(), **(_of_plan(declared) | mechanism)}
    if asked is None and "valuation" not in mechanism and "valuation" not in declared.contagion.model_fields_set:
        settings["valuation"] = "linear-debtrank"
    try:
        model = prepare(system, **settings)
        outcome = ranking = None
        if asked is not None:
            outcome = propagate(model, asked.losses, outages=asked.outages, runs=asked.runs)
        else:
            counted = ~system.members(kinds=tuple(counted_out)) if counted_out else None
            ranking = importance(model, counted=counted, progress=progress)
    except ValueError as error:
        file = f"{path}" if "contagion" in declared.model_fields_set else "call"
        said = str(error).splitlines()[0].split("; ")
        wanted, cure = (
            (said[1] if len(said) > 1 else "a system and a shock that fit"),
            "correct the file or the options",
        )
        raise ProblemsFound([Problem(file, None, said[0], wanted.removeprefix("expected "), cure)]) from error
    if asked is not None and asked.file is not None:
        inputs = (*inputs, asked.file)
    named = tuple(InputFile(Path(os.path.relpath(f.name, path.parent)).as_posix(), f.digest) for f in inputs)
    how = declared.system
    return SpreadAnswer(
        declared.title, how.origin, how.note, asked, outcome, ranking, named, combined_digest(named), VERSION, settings
    )


def _of_plan(declared: SystemFile) -> dict[str, Any]:
    """What a plan says of recovery, so that its ranking is the one of its report."""
    recovery = declared.scenarios.get("recovery") if isinstance(declared, PlanAsSystem) else None
    return {"recovery": float(recovery)} if isinstance(recovery, int | float) and 0.0 <= recovery <= 1.0 else {}


def _read(path: Path, problems: list[Problem]) -> tuple[SystemFile | None, System | None, tuple[InputFile, ...]]:
    """The declaration, the system, and the files behind them; a plan is known by its gates."""
    told: list[Problem] = []
    file = read_file(path, told)
    plain = plain_values(file, told) if file is not None else None
    kind = PlanAsSystem if plain is not None and "gates" in plain[0] else SystemFile
    document = read_document(path, kind, problems)
    if document is None or document.sections.get("system") is None:
        return None, None, ()

    def where(*keys: str | int) -> Place:
        return document.file.name, document.line("system", *keys)

    read = read_system(path.parent, document.sections["system"], problems, where=where)
    if read is None:
        return None, None, ()
    return document.value, read.system, (document.file, *read.inputs)
