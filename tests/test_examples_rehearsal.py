"""The rehearsal that `make demo` ends with, on a verdict made up for the test."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from conftest import EXAMPLES
from poundlock.reading import InputFile, combined_digest

ZHEJIANG = EXAMPLES / "zhejiang"
INPUTS = ("plan.yaml", "institutions.csv", "exposures.csv")


def result(folder: Path) -> Path:
    """A result.json of the plan with one gate undecided, and a report beside it."""
    inputs = [{"file": n, "sha256": hashlib.sha256((ZHEJIANG / n).read_bytes()).hexdigest()} for n in INPUTS]
    digest = combined_digest(InputFile(i["file"], i["sha256"]) for i in inputs)
    said = {
        "verdict": {"worst": "inconclusive", "sentence": "Hold."},
        "gates": [{"id": "local-banks", "finding": "inconclusive", "why": "made up", "limit": "none"}],
        "provenance": {"version": "0", "seed": 1, "scenarios": 1, "inputs": inputs, "digest": digest},
    }
    (folder / "report.html").write_text("<!doctype html>")
    (folder / "result.json").write_text(json.dumps(said))
    return folder / "result.json"


def test_two_stages_are_played_and_the_pack_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("rehearsal", ZHEJIANG / "rehearsal.py")
    assert spec is not None
    assert spec.loader is not None
    rehearsal = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rehearsal)
    monkeypatch.setattr(sys, "argv", ["rehearsal.py", str(result(tmp_path)), str(tmp_path / "register")])
    rehearsal.main()
    said = capsys.readouterr().out
    lines = [
        "officer proposes the start: refused: against it stands local-banks: inconclusive",
        "officer approves it too: refused: you proposed this change; another person must approve it",
        "run zhejiang/1: deciding -> passed",
        "run delta/1: active -> held",
        "waives in-time of check",
        "run delta/1: held -> active",
        "run delta/1: active -> rolling back",
        "run delta/1: rolling back -> rolled back",
        "verified on a copy without the register",
        "The plan's own verdict stays: inconclusive. Hold.",
    ]
    for line in lines:
        assert line in said
