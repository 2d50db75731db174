"""One chart specification per figure, for notebook, report and page alike; and the report itself."""

from poundlock.figures.report import report_html, result_json, write_report

__all__ = ["report_html", "result_json", "write_report"]
