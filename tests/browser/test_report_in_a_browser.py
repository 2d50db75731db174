"""The report as a reader meets it: wide and narrow, light and dark, on paper, offline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import EXAMPLES, require
from poundlock import evaluate
from poundlock.figures import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require(chromium is not None, "Chromium")
    from playwright.sync_api import sync_playwright

    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(zhejiang, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(zhejiang, tmp_path_factory.mktemp("report"))[0]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = evaluate(EXAMPLES / "zhejiang" / "plan.yaml")
    return write_report(found, tmp_path_factory.mktemp("evaluation"))[0]


def opened(browser, report: Path, **options):
    page = browser.new_page(**options)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    return page, said, asked


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits(browser, report: Path, width: int, scheme: str):
    page, said, asked = opened(browser, report, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert said == []
    assert asked == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text().startswith("Funding of science")
    assert page.locator("figure svg").count() == page.locator("figure").count() > 5


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_evaluation_opens_quietly_and_fits(browser, evaluation: Path, width: int, scheme: str):
    page, said, asked = opened(browser, evaluation, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert said == []
    assert asked == [evaluation.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text().startswith("Funding of science")
    assert page.locator("figure svg").count() == page.locator("figure").count() > 5


def luminance(page, selector: str, what: str) -> float:
    colour = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{what}")
    parts = [int(float(x)) / 255 for x in colour.removeprefix("rgba(").removeprefix("rgb(").rstrip(")").split(",")[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page(browser, report: Path, scheme: str):
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3) for plain, quiet and coloured words, and for words in charts."""
    page, _, _ = opened(browser, report, color_scheme=scheme)
    paper = luminance(page, "body", "backgroundColor")
    for selector, what in (
        ("h1", "color"),
        (".small", "color"),
        (".finding.pass", "color"),
        (".finding.inconclusive", "color"),
        ("figure svg text", "fill"),
    ):
        ink = luminance(page, selector, what)
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, (selector, scheme)


def test_data_behind_a_figure_opens_by_keyboard(browser, report: Path):
    page, _, _ = opened(browser, report)
    first = page.locator("figure details").first
    assert first.locator("table").is_hidden()
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert first.locator("table").is_visible()


def test_on_paper_the_origin_stands_on_every_page(browser, report: Path, tmp_path: Path):
    """Read back from the PDF, where the reader of PDFs is there."""
    require(shutil.which("pdftotext") is not None, "pdftotext (poppler-utils)")
    page, _, _ = opened(browser, report)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "report.pdf", format="A4", prefer_css_page_size=True)
    text = subprocess.run(
        ["pdftotext", tmp_path / "report.pdf", "-"], check=True, capture_output=True, text=True
    ).stdout
    pages = text.rstrip("\f").split("\f")
    assert len(pages) > 5
    assert all("Synthetic banking layer" in words for words in pages)
