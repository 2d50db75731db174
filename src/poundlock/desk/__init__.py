"""The desk: the verbs, and the one room that knows all the rooms below."""

from poundlock.desk.assessment import Assessment
from poundlock.desk.check import CheckedPlan, check
from poundlock.desk.evaluate import evaluate
from poundlock.desk.evaluation import Evaluation
from poundlock.desk.plan_file import PlanFile, plan_schema_text
from poundlock.desk.rules_kept import RulesCheck, rules_check
from poundlock.desk.run import run
from poundlock.desk.spread import SpreadAnswer, spread
from poundlock.desk.system_file import SystemFile, system_schema_text

__all__ = [
    "Assessment",
    "CheckedPlan",
    "Evaluation",
    "PlanFile",
    "RulesCheck",
    "SpreadAnswer",
    "SystemFile",
    "check",
    "evaluate",
    "plan_schema_text",
    "rules_check",
    "run",
    "spread",
    "system_schema_text",
]
