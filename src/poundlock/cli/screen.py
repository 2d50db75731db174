"""What every command needs of the terminal: exit codes, refusals, problems, progress, interrupts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from types import FrameType
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from poundlock.problems import ProblemsFound

EXIT_PROBLEMS, EXIT_INTERRUPTED = 2, 130
SHOWN_PROBLEMS = 50
WIDTH_OF_FILES = 200  # columns of tables where there is no terminal

_interrupted: list[int] = []
"""Signals heard. An exception raised inside a callback of a compiled library can be lost; the progress asks here too."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """Signal handler: remember, and end what is running."""
    _interrupted.append(number)
    raise KeyboardInterrupt


def quiet(lost: sys.UnraisableHookArgs) -> None:
    """An interrupt that falls into a place where nothing can be raised (a finaliser) is not told as a fault: `progress` raises it again."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


def interrupted() -> NoReturn:
    """Say so and end."""
    Console(stderr=True).print("Interrupted; nothing was written.")
    raise typer.Exit(EXIT_INTERRUPTED) from None


def refuse(message: str) -> NoReturn:
    """Say why, on the error stream, and end."""
    Console(stderr=True, highlight=False).print(Text(message), soft_wrap=True)
    raise typer.Exit(EXIT_PROBLEMS)


def print_json(value: object) -> None:
    """To standard output."""
    sys.stdout.write(dumps(value, indent=2, ensure_ascii=False) + "\n")


def console_of_results() -> Console:
    """Standard output, wide enough for tables where it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    return console


def refuse_problems(
    found: ProblemsFound, where: object, json: bool, outcome: str = "nothing was run or written"
) -> NoReturn:
    """Every Problem with its place and cure, and end. outcome: what came of the rest, in words."""
    if json:
        told = [{k: getattr(p, k) for k in ("file", "line", "found", "expected", "cure")} for p in found.problems]
        print_json({"ok": False, "problems": told})
    console = Console(stderr=True, highlight=False)
    count = len(found.problems)
    head = (f"{count} {'problem' if count == 1 else 'problems'}", "bold red")
    console.print(Text.assemble(head, f" in {where}; {outcome}."), soft_wrap=True)
    for problem in found.problems[:SHOWN_PROBLEMS]:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        console.print(Text.assemble("\n", (place, "bold")), soft_wrap=True)
        said = f"  found     {problem.found}\n  expected  {problem.expected}\n  cure      {problem.cure}"
        console.print(Text(said), soft_wrap=True)
    if count > SHOWN_PROBLEMS:
        console.print(Text(f"\n... and {count - SHOWN_PROBLEMS} more; --json prints them all."))
    raise typer.Exit(EXIT_PROBLEMS) from None


@contextmanager
def progress(title: str, count: int) -> Iterator[Callable[[str, int], None]]:
    """A line for each task of `count` steps, on the error stream; removed when done."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        first = display.add_task(title, total=None)
        tasks: dict[str, tuple[TaskID, int]] = {}

        def report(task: str, done: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            number, before = tasks.get(task) or (display.add_task(f"  {task}", total=count), 0)
            after = before + done
            if after > count:  # a search simulates anew for every setting
                after = done
                display.reset(number, total=count)
            tasks[task] = number, after
            display.update(number, completed=after)

        yield report
        display.remove_task(first)
