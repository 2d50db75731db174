"""What several tests need: a starter plan to break, finished assessments to read, the published cases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import clerks
from poundlock import Assessment, Problem, ProblemsFound, check, run
from poundlock.desk import plan_schema_text
from poundlock.starter import write_starter

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("fresh")
settings.load_profile(
    os.environ.get("POUNDLOCK_CASES", "same")
)  # fresh: cases that nobody has seen, to look for faults

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


ZHEJIANG_READERS = (
    "tests/browser/test_report_in_a_browser.py",
    "tests/golden/test_provinces.py",
    "tests/test_desk.py",
    "tests/test_desk_programme.py",
)
"""Files that read the Zhejiang run, which takes minutes: one worker makes it and runs them all."""

LONG = (*ZHEJIANG_READERS, "tests/test_cli.py", "tests/test_risk_statistics.py")
"""Files that take longest: they are started first, so that no worker waits long for another at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where workers share the work, what takes long comes first."""
    if hasattr(config, "workerinput"):
        places = {config.rootpath / file: k for k, file in enumerate(LONG)}
        items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays whole on one worker, and all that read the Zhejiang run stay together.

    Not by --dist loadgroup: pytest-xdist 3.8 writes the group where pytest 9.2 does not read it, and spreads every test.
    """
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "zhejiang" if file in ZHEJIANG_READERS else file

    config.option.loadscopereorder = False  # the order is that of the items
    return Files(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Who reads the Zhejiang run is listed."""
    file = item.nodeid.split("::")[0]
    if "zhejiang" in getattr(item, "fixturenames", ()) and file not in ZHEJIANG_READERS:
        pytest.fail(f"add {file} to ZHEJIANG_READERS of tests/conftest.py, or the run may be made twice", pytrace=False)


def require(available: bool, what: str) -> None:
    """Skip where `what` is absent; fail instead where everything is required, as in continuous integration."""
    if not available:
        if os.environ.get("POUNDLOCK_REQUIRE_ALL"):
            pytest.fail(f"{what} is required here and absent")
        pytest.skip(f"{what} is absent")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    folder = Path(os.environ.get("POUNDLOCK_GOLDEN", ROOT.parent / "shared" / "golden"))
    if not folder.is_dir():
        pytest.skip(f"published cases are not in {folder.name}; set POUNDLOCK_GOLDEN to their folder")
    return folder


@pytest.fixture(scope="session")
def starter_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_starter(tmp_path_factory.mktemp("starter") / "plan", plan_schema_text()).parent


@pytest.fixture
def starter(starter_source: Path, tmp_path: Path) -> Path:
    """A fresh copy of the starter plan's folder."""
    return Path(shutil.copytree(starter_source, tmp_path / "plan"))


@pytest.fixture(scope="session")
def starter_run(starter_source: Path) -> Assessment:
    return run(starter_source / "plan.yaml")


@pytest.fixture(scope="session")
def zhejiang(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    if "PYTEST_XDIST_WORKER" in os.environ:  # the folder of all workers: a second one that makes the run fails here
        (tmp_path_factory.getbasetemp().parent / "zhejiang-run").touch(exist_ok=False)
    return run(EXAMPLES / "zhejiang" / "plan.yaml")


@pytest.fixture(scope="session")
def europe() -> Assessment:
    return run(EXAMPLES / "europe-2015" / "plan.yaml")


def edit(path: Path, old: str, new: str) -> None:
    """Replace one occurrence that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def problems() -> Callable[[Path], tuple[Problem, ...]]:
    """Every Problem that `check` finds in a folder's plan."""

    def found(folder: Path) -> tuple[Problem, ...]:
        with pytest.raises(ProblemsFound) as caught:
            check(folder / "plan.yaml")
        return caught.value.problems

    return found


Mistake = tuple[str, str, str, str, int | str | None, str, str]
"""File to edit, old text, new text, file of the Problem, its line or a text in that line, what is found, the cure."""


def told_once(mistake: Mistake, folder: Path, problems: Callable[[Path], tuple[Problem, ...]], company: bool) -> None:
    """Make one mistake; it is told with its place and cure, and alone unless it is known to make a second one."""
    file, old, new, where, at, found, cure = mistake
    edit(folder / file, old, new)
    text = (folder / where).read_text(encoding="utf-8")
    line = text.count("\n", 0, text.index(at)) + 1 if isinstance(at, str) else at
    said = problems(folder)
    hits = [p for p in said if found in p.found]
    assert hits, [str(p) for p in said]
    assert Path(hits[0].file).name == where
    assert hits[0].line == line, str(hits[0])
    assert cure in hits[0].cure, str(hits[0])
    assert hits[0].expected
    assert len(said) == 1 or company, [str(p) for p in said]


def all_told(mistakes: Iterable[Mistake], folder: Path, problems: Callable[[Path], tuple[Problem, ...]]) -> None:
    """Make several mistakes; each is told, and nothing else."""
    mistakes = list(mistakes)
    for file, old, new, *_ in mistakes:
        edit(folder / file, old, new)
    said = problems(folder)
    for mistake in mistakes:
        assert any(mistake[5] in p.found for p in said), (mistake, [str(p) for p in said])
    assert len(said) == len(mistakes), [str(p) for p in said]


@pytest.fixture
def office(tmp_path: Path, starter: Path, monkeypatch: pytest.MonkeyPatch) -> clerks.Office:
    """An office at the command line, with the starter plan; its clock stands where the test sets it."""
    return clerks.at_the_clock(clerks.Office(tmp_path, starter / "plan.yaml"), monkeypatch)
