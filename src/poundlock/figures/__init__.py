"""One chart specification per figure, for notebook, report and page alike; and the report itself."""

from poundlock.figures.report import evaluation_html, report_html, result_json, write_report

__all__ = ["evaluation_html", "report_html", "result_json", "write_report"]
