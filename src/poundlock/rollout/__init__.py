"""Stages, gates and verdicts: what was declared, and what is judged of the evidence. Pure functions, no storage, no clock."""
