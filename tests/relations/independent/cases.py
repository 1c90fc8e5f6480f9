"""All cases: bugs with their repaired twins, and right models of many kinds."""

from __future__ import annotations

from tests.relations.independent import learners, right, serving
from tests.relations.independent.case import Case

CASES: list[Case] = [*serving.CASES, *learners.CASES, *right.CASES]
BUGS = [case for case in CASES if case.faulty]
RIGHT = [case for case in CASES if not case.faulty]
