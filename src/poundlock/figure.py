"""A Figure: one Vega-Lite specification, the same in words, and the same as a table. And its drawing as SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import altair as alt
import vl_convert

# Light colours, as a notebook shows them; the report turns each into a CSS variable so that dark and print follow.
INK: Final = "#1d2733"
QUIET: Final = "#6b7785"
GRID: Final = "#dde2e7"
SERIES: Final = ("#0b5cad", "#c2571a", "#7a8794", "#2f7d4f", "#8a4fae", "#94751c", "#1d7f8c", "#b03a6f")
LIMIT: Final = "#b3261e"
FAINT: Final = "#c3cad1"
PAPER: Final = "#ffffff"
VARIABLES: Final = {
    INK: "--ink",
    QUIET: "--quiet",
    GRID: "--grid",
    LIMIT: "--limit",
    FAINT: "--faint",
    PAPER: "--paper",
    **{c: f"--series-{k + 1}" for k, c in enumerate(SERIES)},
}
FONT: Final = (
    "Arial, 'Liberation Sans', Helvetica, sans-serif"  # metrics that the drawing engine knows, so that nothing is cut
)
WIDTH: Final = 640


@dataclass(frozen=True)
class Figure:
    """id: stable name. title: a full sentence or noun phrase. summary: what the chart shows, for those who cannot see
    it. header, rows: its data. chart: the Altair chart, `.to_dict()` is the Vega-Lite specification."""

    id: str
    title: str
    summary: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)
    chart: Any = field(repr=False)


def styled(chart: Any) -> Any:
    """The house's one look: no frame, light grid, ink for words."""
    return (
        chart.configure(background="transparent", font=FONT, padding={"left": 12, "right": 24, "top": 6, "bottom": 6})
        .configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=INK,
            titleColor=QUIET,
            gridColor=GRID,
            domainColor=GRID,
            tickColor=GRID,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
        )
        .configure_legend(
            labelColor=INK,
            titleColor=QUIET,
            orient="top",
            title=None,
            labelFontSize=11,
            symbolStrokeWidth=2.5,
            labelLimit=400,
        )
        .configure_title(color=INK, fontSize=12, anchor="start", fontWeight="normal")
        .configure_header(labelColor=INK, title=None, labelFontSize=12, labelAnchor="start", labelFontWeight="bold")
    )


def svg(figure: Figure) -> str:
    """Inline SVG whose colours are CSS variables with the light colour as fallback; labelled for screen readers."""
    drawn: str = vl_convert.vegalite_to_svg(styled(figure.chart).to_dict())
    for colour, variable in VARIABLES.items():
        drawn = re.sub(f'"{colour}"', f'"var({variable}, {colour})"', drawn, flags=re.IGNORECASE)
    label = figure.title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def lines(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Rows of plain values as inline chart data."""
    return alt.InlineData(values=rows)
