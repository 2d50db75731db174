"""What several tests need: a starter plan to break, finished assessments to read, the published cases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from poundlock import Assessment, Problem, ProblemsFound, check, run
from poundlock.desk import plan_schema_text
from poundlock.starter import write_starter

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("fresh")
settings.load_profile(os.environ.get("POUNDLOCK_CASES", "same"))  # fresh: cases that nobody has seen, to look for faults

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


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
def zhejiang() -> Assessment:
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
