"""Returns that are sound are read alike from every form; mistakes in them are told all at once, with line and cure."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.returns import (
    KINDS,
    SCHEMAS,
    Filed,
    cautions,
    data_dictionary,
    read_return,
    restored_cell,
    safe_cell,
    with_cautions,
)
from poundlock.returns.templates import csv_template, csv_text, xlsx_bytes, xlsx_template
from poundlock.returns.values import days_of, number_of, plain, text_of

INCIDENTS = SCHEMAS["incidents"].names
OUTAGE = ("7", "outage", "major", "2026-09-03", "2026-09-04", 1200, "支付系统中断，已恢复。")
ATTACK = ("8", "cyber", "minor", "2026-09-30", None, None, '=cmd|"calc" is what they sent')
EXPOSURES = SCHEMAS["exposures"].names
LENT = ("lent", "bank-2", "interbank", "12.50", "30", "0.4")


def filed(folder: Path, content: str | bytes, kind: str = "exposures", period: str = "2026-09", **more) -> Filed:
    path = folder / "return"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_return(path, kind, "bank-1", period, **more)


def said(filed: Filed) -> str:
    assert filed.table == ()
    assert not filed.acceptable
    return "\n".join(str(problem) for problem in filed.errors)


def csv(*rows: tuple, header: tuple[str, ...] = EXPOSURES) -> str:
    return csv_text(header, rows)


def parquet(table: dict) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(table), out)
    return out.getvalue()


def test_one_table_is_read_alike_from_every_form(tmp_path: Path):
    rows = (OUTAGE, ATTACK)
    text = csv(*rows, header=INCIDENTS)
    columns = {name: [row[k] for row in rows] for k, name in enumerate(INCIDENTS)}
    columns["started"] = [dt.date.fromisoformat(day) for day in columns["started"]]
    forms = {
        "CSV (UTF-8)": text.encode(),
        "CSV (GB18030)": text.encode("gb18030"),
        "XLSX": xlsx_bytes(INCIDENTS, rows),
        "Parquet": parquet(columns),
    }
    read = {form: filed(tmp_path, content, "incidents") for form, content in forms.items()}
    for form, one in read.items():
        assert not one.errors, said(one)
        assert one.form == form
        assert one.table == read["CSV (UTF-8)"].table
        assert one.totals == {"rows": "2", "affected:major": "1200", "affected:minor": "0"}
    assert list(read["XLSX"].table[0].values()) == list(OUTAGE)
    assert list(read["XLSX"].table[1].values()) == list(ATTACK)
    assert filed(tmp_path, "\ufeff" + text, "incidents").table == read["XLSX"].table


def test_what_was_read_is_what_was_digested(tmp_path: Path):
    import hashlib

    content = csv(LENT)
    one = filed(tmp_path, content)
    assert one.digest == hashlib.sha256(content.encode()).hexdigest()
    assert one.bytes == len(content)
    assert one.rows == len(one.table) == 1
    assert one.table[0] == dict(zip(EXPOSURES, ("lent", "bank-2", "interbank", "12.5", 30, "0.4"), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_a_return_of_nothing(kind: str, tmp_path: Path):
    for content in (csv_template(kind), xlsx_template(kind)):
        one = filed(tmp_path, content, kind)
        assert not one.errors, said(one)
        assert [caution.code for caution in one.warnings] == ["nothing-filed"]
    sheets = openpyxl.load_workbook(io.BytesIO(xlsx_template(kind)))
    assert sheets.sheetnames == [kind, "data dictionary"]
    named = [row[2].value for row in sheets["data dictionary"].iter_rows(min_row=2)]
    assert tuple(named) == SCHEMAS[kind].names


def test_the_same_template_is_the_same_bytes():
    assert xlsx_template("incidents") == xlsx_template("incidents")
    assert b"20" not in zipfile.ZipFile(io.BytesIO(xlsx_template("payments"))).read("docProps/core.xml").split(b"created")[1][:60].replace(b"2000-", b"")  # fmt: skip


def test_the_data_dictionary_says_one_sentence_of_every_column():
    rows = data_dictionary()
    assert len(rows) == sum(len(schema.fields) for schema in SCHEMAS.values())
    assert all(row["meaning"].endswith(".") and row["type"] and row["required"] in ("yes", "no") for row in rows)
    assert {row["kind"] for row in rows} == set(KINDS)
    assert {row["name"] for row in rows if row["key"] == "yes" and row["kind"] == "payments"} == {"period", "rail"}


def test_every_mistake_of_a_return_is_told_with_its_line(tmp_path: Path):
    content = csv(
        LENT,
        ("lend", "bank-3", "interbank", "1", "30", None),
        ("lent", "bank-4", "interbank", "-1", "30", None),
        ("lent", "bank-5", "interbank", "1,000", "30", None),
        ("lent", "bank-6", "interbank", "1e3", "30", None),
        ("lent", "bank-7", "interbank", None, "30.5", "40%"),
        ("lent", "bank-2", "interbank", "3", "30", None),
        ("lent", "bank-1", "interbank", "3", "30", None),
        ("lent", "bank 8", "interbank", "3", "30", "1.2"),
    )
    text = said(filed(tmp_path, content, shown="ours.csv"))
    for line, found, cure in (
        (3, "side = 'lend'", "correct side"),
        (4, "amount = '-1'", "correct amount"),
        (5, "amount = '1,000'", "without thousands separators"),
        (6, "amount = '1e3'", "without an exponent"),
        (7, "amount is empty", "fill amount"),
        (7, "maturity_days = '30.5'", "correct maturity_days"),
        (7, "recovery = '40%'", "0.12 for 12 per cent"),
        (8, "a second time (first in line 2)", "add the two up"),
        (9, "an exposure of 'bank-1' to itself", "correct the counterparty"),
        (10, "counterparty = 'bank 8'", "correct counterparty"),
        (10, "recovery = '1.2'", "correct recovery"),
    ):
        assert any(one.startswith(f"ours.csv:{line}: found {found}") or (found in one and f":{line}:" in one) for one in text.split("\n") if cure in one), (found, text)  # fmt: skip
    assert len(text.split("\n")) == 11


def test_mistakes_of_a_header_are_told_together_with_near_names(tmp_path: Path):
    header = ("side", "counter_party", "layer", "amount", "amount", "maturity_days", "remarks")
    text = said(filed(tmp_path, csv((*LENT, "x"), header=header)))
    assert "no column 'counterparty'" in text
    assert "rename 'counter_party' to 'counterparty'" in text
    assert "an unknown column 'remarks'" in text
    assert "column 'amount' 2 times" in text


def test_many_mistakes_of_one_sort_are_counted(tmp_path: Path):
    rows = [("lent", f"b{k}", "interbank", "much", "0", None) for k in range(100)]
    text = said(filed(tmp_path, csv(*rows))).split("\n")
    assert len(text) == 21
    assert "80 more of this sort: amount" in text[-1]


def test_columns_of_the_envelope_must_say_what_the_filing_says(tmp_path: Path):
    header = (*EXPOSURES, "reporting_institution", "reporting_period")
    assert filed(tmp_path, csv((*LENT, "bank-1", "2026-09"), header=header)).table[0]["amount"] == "12.5"
    text = said(filed(tmp_path, csv((*LENT, "bank-9", "2026-08"), header=header)))
    assert "reporting_institution other than that of the filing; expected bank-1" in text
    assert "reporting_period other than that of the filing; expected 2026-09" in text


def test_a_balance_sheet_adds_up_and_has_its_three_items(tmp_path: Path):
    def sheet(**items: str) -> Filed:
        rows = [(name.replace("_", "-"), value) for name, value in items.items()]
        return filed(tmp_path, csv(*rows, header=("item", "amount")), "balance-sheet")

    assert sheet(total_assets="100", total_liabilities="110.4", equity="-10").totals["amount:equity"] == "-10"
    assert "assets less liabilities of 20, and equity of 10" in said(
        sheet(total_assets="100", total_liabilities="80", equity="10")
    )
    assert "no item 'equity'" in said(sheet(total_assets="100", total_liabilities="80"))
    assert "loans of -5" in said(sheet(total_assets="100", total_liabilities="90", equity="10", loans="-5"))


def test_payments_and_incidents_belong_to_their_period(tmp_path: Path):
    payments = csv(("2026-10-01", "card", 3, "10", None, None), ("2026-Q3", "card", 3, "10", None, None), ("2026-09", "wallet", 0, "10", None, None), header=SCHEMAS["payments"].names)  # fmt: skip
    text = said(filed(tmp_path, payments, "payments"))
    assert "period 2026-10-01; expected a day or month within 2026-09" in text
    assert "period 2026-Q3; expected a day or month within 2026-09" in text
    assert "0 payments of 10" in text
    assert "expected a day or a month" in said(filed(tmp_path, payments, "payments", "2026"))
    late = (*OUTAGE[:3], "2026-10-01", None, 1, "x")
    backwards = ("9", *OUTAGE[1:3], "2026-09-10", "2026-09-09", 1, "x")
    old = ("10", *OUTAGE[1:3], "2026-07-10", "2026-08-09", 1, "x")
    text = said(filed(tmp_path, csv(late, backwards, old, header=INCIDENTS), "incidents"))
    for words in ("started 2026-10-01", "an end 2026-09-09 before the start 2026-09-10", "ended 2026-08-09"):
        assert words in text


def workbook(*rows: tuple, **formats: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cell, shown in formats.items():
        sheet[cell].number_format = shown
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_typed_by_a_person_is_read_as_it_was_meant(tmp_path: Path):
    row = ("9", "data", "minor", dt.date(2026, 9, 3), 46270, 12.0, "wrong by 0.1")
    one = filed(tmp_path, workbook(INCIDENTS, row, (), (None, None, " "), E2='yyyy"年"m"月"d"日"'), "incidents")
    assert not one.errors, said(one)
    assert one.table[0]["started"] == "2026-09-03"
    assert one.table[0]["ended"] == "2026-09-05"
    assert one.table[0]["affected"] == 12
    numbers = (0.3, 4.1, 1e-7, 1234567890.12, 100)
    table = [("lent", f"b{k}", "interbank", number, 0, None) for k, number in enumerate(numbers)]
    read = filed(tmp_path, workbook(EXPOSURES, *table))
    assert [row["amount"] for row in read.table] == ["0.3", "4.1", "0.0000001", "1234567890.12", "100"]


def test_a_number_is_what_was_typed_though_a_spreadsheet_writes_seventeen_digits(tmp_path: Path):
    made = workbook(EXPOSURES, ("lent", "b", "interbank", 4.1, 0, None))
    parts = {
        name: zipfile.ZipFile(io.BytesIO(made)).read(name) for name in zipfile.ZipFile(io.BytesIO(made)).namelist()
    }
    sheet = "xl/worksheets/sheet1.xml"
    assert b"<v>4.1</v>" in parts[sheet]
    parts[sheet] = parts[sheet].replace(b"<v>4.1</v>", b"<v>4.0999999999999996</v>")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, part in parts.items():
            book.writestr(name, part)
    assert filed(tmp_path, out.getvalue()).table[0]["amount"] == "4.1"


def test_numbers_of_parquet_keep_their_shortest_text(tmp_path: Path):
    columns = {name: [value] * 4 for name, value in zip(EXPOSURES, LENT, strict=True)}
    columns |= {"counterparty": ["a", "b", "c", "d"], "maturity_days": [1, 2, 3, 4]}
    for kind, expected in (
        (pa.float64(), ["0.1", "1234567.89", "0.0000001", "2"]),
        (pa.float32(), ["0.1", "1234567.9", "0.0000001", "2"]),
    ):
        amounts = pa.array([0.1, 1234567.89, 1e-7, 2.0], kind)
        assert [row["amount"] for row in filed(tmp_path, parquet({**columns, "amount": amounts})).table] == expected
    exact = pa.array([Decimal("12345678901234.50")] * 4, pa.decimal128(20, 2))
    assert filed(tmp_path, parquet({**columns, "amount": exact})).table[0]["amount"] == "12345678901234.5"


def test_formulas_and_errors_of_a_spreadsheet_are_no_values(tmp_path: Path):
    made = workbook(EXPOSURES, ("lent", "b", "interbank", "=1+1", 0, None), ("lent", "#REF!", "interbank", 1, 0, None))
    text = said(filed(tmp_path, made))
    assert "amount holds a formula; expected a value" in text
    assert "counterparty holds an error of the spreadsheet" in text


def test_cautions_are_what_a_reason_is_asked_for(tmp_path: Path):
    one = filed(tmp_path, csv(("lent", "b", "x", "0", "0", None), ("borrowed", "c", "x", "151", "0", None)))
    assert [(c.code, c.about) for c in one.warnings] == [("zero-total", "amount:lent")]
    last = {"rows": "9", "amount:borrowed": "100", "amount:lent": "0"}
    assert [(c.code, c.about) for c in cautions(one, last)] == [
        ("zero-total", "amount:lent"),
        ("large-change", "amount:borrowed"),
    ]
    assert with_cautions(one, last).warnings == cautions(one, last)
    assert [c.code for c in cautions(one, {**last, "amount:borrowed": "101"})] == ["zero-total"]
    assert [c.about for c in cautions(one, {**last, "amount:gone": "1"})] == [
        "amount:lent",
        "amount:borrowed",
        "amount:gone",
    ]


def test_what_cannot_be_asked_is_a_mistake_in_code(tmp_path: Path):
    with pytest.raises(ValueError, match="no kind of return"):
        read_return(tmp_path / "x", "exposure", "bank-1", "2026-09")
    with pytest.raises(ValueError, match="found period"):
        read_return(tmp_path / "x", "exposures", "bank-1", "September")


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-H2", "2024-07-01", "2024-12-31"),
        ("2024-Q1", "2024-01-01", "2024-03-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
    ],
)
def test_a_period_has_a_first_and_a_last_day(period: str, first: str, last: str):
    assert days_of(period) == (dt.date.fromisoformat(first), dt.date.fromisoformat(last))


@pytest.mark.parametrize(
    "period", ["2023-02-29", "2024-13", "2024-Q5", "0000", "24-01", "2024-1", "2024-01-01T00:00", ""]
)
def test_what_is_no_period_is_refused(period: str):
    with pytest.raises(ValueError, match=r".*"):
        days_of(period)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**17), max_value=10**17, places=9))
def test_equal_numbers_have_one_text(value: Decimal):
    text = plain(value)
    assert Decimal(text) == value
    assert number_of(text) == text
    assert number_of(f"{value:f}") == text
    assert "E" not in text
    assert not text.startswith("-0") or Decimal(text) != 0


CANONICAL_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("=+-@'\t\n"), min_size=1, max_size=40).filter(lambda text: text.strip() and _held(text))  # fmt: skip


def _held(text: str) -> bool:
    try:
        return text_of(text) == text
    except ValueError:
        return False


@given(CANONICAL_TEXT)
@settings(max_examples=500)
def test_a_guarded_cell_is_never_live_and_comes_back_as_it_was(text: str):
    guarded = safe_cell(text)
    assert restored_cell(guarded) == text
    assert guarded[0] not in "=+-@\t\r\n＝＋－＠" or Decimal(guarded) < 0
    if guarded != text:
        assert guarded == "'" + text


@given(st.lists(CANONICAL_TEXT, min_size=1, max_size=30))
@settings(max_examples=10, deadline=None)
def test_any_text_that_is_exported_is_filed_again_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    folder = tmp_path_factory.mktemp("law")
    rows = [(f"{k}", "data", "minor", "2026-09-03", None, None, text) for k, text in enumerate(texts)]
    book = xlsx_bytes(INCIDENTS, rows)
    for content in (csv(*rows, header=INCIDENTS), book):
        one = filed(folder, content, "incidents")
        assert not one.errors, said(one)
        assert [row["description"] for row in one.table] == texts
    for row in openpyxl.load_workbook(io.BytesIO(book)).active.iter_rows():
        assert all(cell.data_type != "f" for cell in row)


def test_a_workbook_says_of_dangerous_text_that_it_is_text():
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(("a", "b", "c"), [("=1+1", "plain", Decimal("1.50"))]))).active
    assert [cell.data_type for cell in sheet[2]] == ["s", "s", "n"]
    assert [bool(cell.quotePrefix) for cell in sheet[2]] == [True, False, False]
    with pytest.raises(ValueError, match=r"U\+0001"):
        xlsx_bytes(("a",), [("\x01",)])


def test_numbers_of_a_table_stay_numbers_in_csv():
    assert csv_text(("a", "b", "c", "d"), [("-5", Decimal("-1E+2"), 7, None)]) == "a,b,c,d\n-5,-100,7,\n"
    assert csv_text(("a", "b"), [("-5+1", "@x")]) == "a,b\n'-5+1,'@x\n"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "'=", "''@", "\u3000="]
)
def test_every_start_that_a_spreadsheet_could_run_is_guarded(start: str):
    text = f"{start}SUM(A1)"
    assert safe_cell(text) == f"'{text}"
    assert restored_cell(safe_cell(text)) == text


@pytest.mark.parametrize("text", ["plain", "'quoted'", "-12.5", "-0", "a=b", "1-2"])
def test_harmless_text_stays_as_it_is(text: str):
    assert safe_cell(text) == text == restored_cell(text)
