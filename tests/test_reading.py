from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from poundlock.problems import Problem, ProblemsFound
from poundlock.reading import Column, Declared, combined_digest, read_document, read_file, read_table
from poundlock.reading.files import InputFile


class Inner(Declared):
    size: float
    kind: str = "a"


class Plan(Declared):
    title: str
    inner: Inner
    items: tuple[Inner, ...] = ()


def table(tmp_path: Path, text: str | bytes, *columns: Column, **options: bool):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems: list[Problem] = []
    return read_table(path, columns, problems, **options), problems


def test_a_table_keeps_types_and_lines(tmp_path: Path):
    read, problems = table(
        tmp_path, "id,x,n\na,1.5,3\n\nb,-2e3,4\n", Column("id"), Column("x", "number"), Column("n", "integer")
    )
    assert problems == []
    assert list(read["id"]) == ["a", "b"]
    assert read["x"].tolist() == [1.5, -2000.0]
    assert read["n"].dtype == np.int64
    assert read.lines.tolist() == [2, 4]


def test_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path):
    read, problems = table(tmp_path, b"\xef\xbb\xbfid,x\r\na,1\r\n", Column("id"), Column("x", "number"))
    assert problems == []
    assert read["x"].tolist() == [1.0]


def test_a_quoted_comma_is_part_of_the_cell(tmp_path: Path):
    read, _ = table(tmp_path, 'id,x\n"a, b",1\n', Column("id"), Column("x", "number"))
    assert list(read["id"]) == ["a, b"]


def test_every_bad_cell_of_a_table_is_told_with_its_line(tmp_path: Path):
    text = "id,x\na,1\n,2\nb,three\nc,nan\nd,inf\ne,1e999\nf,-1\ng\n"
    _, problems = table(tmp_path, text, Column("id"), Column("x", "number", minimum=0))
    assert sorted(p.line for p in problems) == [3, 4, 5, 6, 7, 8, 9]
    assert all(p.cure for p in problems)


def test_a_blank_cell_is_missing_only_where_allowed(tmp_path: Path):
    read, problems = table(tmp_path, "id,x\na,\n", Column("id"), Column("x", "number", blank=True))
    assert problems == []
    assert np.isnan(read["x"][0])
    _, problems = table(tmp_path, "id,x\na,\n", Column("id"), Column("x", "number"))
    assert [p.found for p in problems] == ["x is empty"]


def test_header_mistakes(tmp_path: Path):
    _, problems = table(tmp_path, "id,amout,more,more\na,1,2,3\n", Column("id"), Column("amount", "number"))
    found = {p.found for p in problems}
    assert "no column 'amount'" in found
    assert "unknown column 'amout'" in found
    assert "column 'more' 2 times" in found
    assert next(p for p in problems if p.found == "no column 'amount'").cure == "rename 'amout' to 'amount'"


def test_other_columns_pass_only_when_asked(tmp_path: Path):
    _, problems = table(tmp_path, "id,note\na,b\n", Column("id"), other_columns=True)
    assert problems == []


def test_many_bad_cells_are_counted_not_listed(tmp_path: Path):
    _, problems = table(tmp_path, "x\n" + "bad\n" * 500, Column("x", "number"))
    assert len(problems) == 21
    assert "480 more rows like this" in problems[-1].found


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "empty file"),
        (b" \n\n", None, "empty file"),
        (b"id\nB\xe4nk\n", 2, "not UTF-8"),
        ("id\n".encode("utf-16"), 1, "zero byte"),
        (b"id\n" + b"x" * (1 << 20) + b"y\n", 2, "a line longer than"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, line: int | None, words: str):
    (tmp_path / "f").write_bytes(content)
    problems: list[Problem] = []
    assert read_file(tmp_path / "f", problems) is None
    assert [(p.line, words in p.found) for p in problems] == [(line, True)]


def test_a_missing_file_is_told_where_it_was_named(tmp_path: Path):
    problems: list[Problem] = []
    read_file(tmp_path / "gone.csv", problems, declared_at=("plan.yaml", 12))
    assert (problems[0].file, problems[0].line) == ("plan.yaml", 12)


def test_a_huge_line_is_refused_without_reading_it_whole(tmp_path: Path):
    """One line of a gigabyte, as a file with a hole: refused after the first megabyte or so."""
    path = tmp_path / "huge.csv"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
    problems: list[Problem] = []
    assert read_file(path, problems) is None
    assert "a line longer than" in problems[0].found


def document(tmp_path: Path, text: str):
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    return read_document(path, Plan, problems), problems


def test_a_document_becomes_a_record(tmp_path: Path):
    read, problems = document(tmp_path, "title: a\ninner:\n  size: 2\nitems:\n  - {size: 1.5}\n")
    assert problems == []
    assert read.value == Plan(title="a", inner=Inner(size=2.0), items=(Inner(size=1.5),))
    assert read.line("items", 0, "size") == 5


def test_every_mistake_of_a_document_has_its_line(tmp_path: Path):
    _, problems = document(tmp_path, "titel: a\ninner:\n  size: big\n  kid: b\nitems:\n  - {size: .nan}\n  - {}\n")
    assert [(p.line, p.found) for p in sorted(problems, key=lambda p: (p.line, p.found))] == [
        (1, "no key 'title'"),
        (1, "unknown key 'titel'"),
        (3, "inner.size = 'big'"),
        (4, "unknown key 'inner.kid'"),
        (6, "items.0.size = nan"),
        (7, "no key 'items.1.size'"),
    ]
    assert next(p for p in problems if p.found == "unknown key 'titel'").cure == "rename it to 'title'"


def test_sections_behind_a_mistake_are_still_read(tmp_path: Path):
    read, problems = document(tmp_path, "title: 3\ninner: {size: 1}\n")
    assert len(problems) == 1
    assert read.value is None
    assert read.sections["inner"] == Inner(size=1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: [a\n", "expected"),
        ("title: a\ntitle: b\n", "duplicate key"),
        ("- a\n- b\n", "text without keys"),
        ("a: &x {b: 1}\nc: *x\n", "alias"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "alias"),
        ("a: " + "[" * 5000 + "]" * 5000, ""),
        ("a: !!python/object:os.system x\n", ""),
    ],
)
def test_text_that_is_no_plan_gives_one_problem_and_no_crash(tmp_path: Path, text: str, words: str):
    _, problems = document(tmp_path, text)
    assert problems
    assert words in " ".join(p.found + p.expected for p in problems)


def test_problems_are_sorted_unique_and_worded():
    one = Problem("b.csv", 3, "x", "y", "z")
    found = ProblemsFound([one, Problem("a.csv", None, "x", "y", "z"), one])
    assert [p.file for p in found.problems] == ["a.csv", "b.csv"]
    assert str(one) == "b.csv:3: found x; expected y. Cure: z."


def test_the_combined_digest_does_not_hang_on_order_but_on_content():
    a, b = InputFile("a", "1"), InputFile("b", "2")
    assert combined_digest([a, b]) == combined_digest([b, a])
    assert combined_digest([a, b]) != combined_digest([a, InputFile("b", "3")])
