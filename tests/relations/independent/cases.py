"""All cases: bugs with their repaired twins, and right models of many kinds."""

from __future__ import annotations

from tests.relations.independent import learners, right, second_bugs, second_learners, second_right, serving
from tests.relations.independent.case import Case

CASES: list[Case] = [*serving.CASES, *learners.CASES, *right.CASES]
BUGS = [case for case in CASES if case.faulty]
RIGHT = [case for case in CASES if not case.faulty]

# A second set, by somebody who had read neither the checkers nor the first: listed by rates.py, and no test asserts it.
SECOND: list[Case] = [*second_bugs.CASES, *second_learners.CASES, *second_right.CASES]
