"""A refusal: what was asked is against the rules of the machine."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it says no, it is not a fault
    """What was asked is against the rules; the message says which, and what to do. Nothing was changed."""
