"""The starter plan that `poundlock init` writes: a small, synthetic, complete example, kept beside this file."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

FILES = (
    "plan.yaml",
    "institutions.csv",
    "totals.csv",
    "exposures.csv",
    "pools.csv",
    "joint_loans.csv",
    "consents.csv",
    "panel.csv",
)


def write_starter(folder: Path, schema: str) -> Path:
    """Write the starter into `folder` whole or not at all. Returns the plan's path. Raises FileExistsError when the
    folder exists and is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with as_file(files(__package__)) as source:
            for name in FILES:
                shutil.copyfile(source / name, beside / name)
        (beside / "plan.schema.json").write_text(schema, encoding="utf-8")
        beside.chmod(0o755)
        os.replace(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return folder / "plan.yaml"
