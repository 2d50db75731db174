"""The rules that come with the package: one table a jurisdiction, beside this module."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from poundlock.problems import Problem, ProblemsFound
from poundlock.rules.rule import Rule, read_rules


@cache
def jurisdictions() -> tuple[str, ...]:
    """Names of the shipped jurisdictions, in alphabetical order: a name is its table's, without .csv."""
    return tuple(sorted(f.name.removesuffix(".csv") for f in files(__package__).iterdir() if f.name.endswith(".csv")))


@cache
def of_jurisdiction(name: str) -> tuple[Rule, ...]:
    """Rules of one shipped jurisdiction, in the order of its table. Raises KeyError for a name not shipped."""
    if name not in jurisdictions():
        raise KeyError(f"'{name}'; shipped are {', '.join(jurisdictions())}")
    problems: list[Problem] = []
    with as_file(files(__package__) / f"{name}.csv") as path:
        found = read_rules(path, problems)
    if found is None:
        raise ProblemsFound(problems)
    return found


@cache
def rules() -> dict[str, Rule]:
    """Every rule of the shipped jurisdictions, by id."""
    return {rule.id: rule for name in jurisdictions() for rule in of_jurisdiction(name)}
