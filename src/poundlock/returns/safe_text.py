"""Cells that a spreadsheet would run as a formula, made harmless on the way out and restored on the way in."""

from __future__ import annotations

import re

_LIVE = re.compile(r"['\s]*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


def safe_cell(text: str) -> str:
    """The text, behind an apostrophe when a spreadsheet could take it for a formula; plain numbers stay as they are.

    Besides = + - @, tab and line ends this means their full-width forms, and any of them behind spaces or apostrophes,
    so that `restored_cell` always yields the text again.
    """
    return f"'{text}" if _LIVE.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def restored_cell(text: str) -> str:
    """The text that `safe_cell` made harmless."""
    return text[1:] if text.startswith("'") and _LIVE.match(text, 1) else text
