"""What participating institutions file each period, and the safe reading of it."""

from poundlock.returns.filed import Caution, Filed, Row, cautions, with_cautions
from poundlock.returns.intake import read_return
from poundlock.returns.limits import LIMITS, Limits
from poundlock.returns.reconcile import Mismatch, against_last, between
from poundlock.returns.safe_text import restored_cell, safe_cell
from poundlock.returns.schemas import DICTIONARY_HEADER, ENVELOPE, KINDS, SCHEMAS, Field, Schema, data_dictionary
from poundlock.returns.values import days_of

__all__ = [
    "DICTIONARY_HEADER",
    "ENVELOPE",
    "KINDS",
    "LIMITS",
    "SCHEMAS",
    "Caution",
    "Field",
    "Filed",
    "Limits",
    "Mismatch",
    "Row",
    "Schema",
    "against_last",
    "between",
    "cautions",
    "data_dictionary",
    "days_of",
    "read_return",
    "restored_cell",
    "safe_cell",
    "with_cautions",
]
