"""Measures: each a declared change of the financial system."""

from poundlock.measures.joint_lending import JointLending, JointLoans, Limits, apply, granted, lives, read_joint_loans

__all__ = ["JointLending", "JointLoans", "Limits", "apply", "granted", "lives", "read_joint_loans"]
