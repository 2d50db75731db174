"""Files into records. Every reader collects Problems; none raises on the first mistake."""

from poundlock.reading.documents import Declared, Document, read_document, schema_of, schema_text
from poundlock.reading.files import InputFile, combined_digest, read_file
from poundlock.reading.tables import Column, Table, read_table

__all__ = [
    "Column",
    "Declared",
    "Document",
    "InputFile",
    "Table",
    "combined_digest",
    "read_document",
    "read_file",
    "read_table",
    "schema_of",
    "schema_text",
]
