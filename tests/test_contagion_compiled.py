"""Kernels kept on disk: loaded by the next process, forgotten when any source they were compiled from has changed."""

from __future__ import annotations

from pathlib import Path

from poundlock.contagion.compiled import forget_stale_kernels


def folder_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "kernel.py").write_text(text, encoding="utf-8")
    (tmp_path / "__pycache__" / "kernel.f-1.py311.1.nbc").write_bytes(b"old")
    return tmp_path


def kept(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "__pycache__").glob("*.nbc"))


def test_kernels_stay_while_no_source_changes(tmp_path: Path):
    folder = folder_with(tmp_path, "a")
    forget_stale_kernels(folder)
    assert kept(folder) == [], "without a stamp nothing is known of them"
    folder_with(tmp_path, "a")
    forget_stale_kernels(folder)
    assert kept(folder) == ["kernel.f-1.py311.1.nbc"]


def test_kernels_go_when_a_source_changes(tmp_path: Path):
    folder = folder_with(tmp_path, "a")
    forget_stale_kernels(folder)
    folder_with(tmp_path, "b")
    forget_stale_kernels(folder)
    assert kept(folder) == []


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path):
    (tmp_path / "kernel.py").write_text("a", encoding="utf-8")
    (tmp_path / "__pycache__").write_text("a file", encoding="utf-8")
    forget_stale_kernels(tmp_path)
    assert (tmp_path / "__pycache__").read_text(encoding="utf-8") == "a file"
