"""Whether a stored run can be believed without taking anybody's word: the gate for results that others hand in.

``docs/validate.md`` says what is checked, and what can't be.
"""

from earmark.bench.validate.checks import CHECKS, Report, named, validate, validate_run
from earmark.bench.validate.stored import Problem

__all__ = ["CHECKS", "Problem", "Report", "named", "validate", "validate_run"]
