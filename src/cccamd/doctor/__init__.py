"""`cccamd doctor`: look at an installation from outside, and say what is wrong and what to do.

Each check has a file of its own: a pure function judges, small functions look at the system.
"""

from cccamd.doctor.examination import Request, examine
from cccamd.doctor.finding import Finding, Verdict, worst

__all__ = ["Finding", "Request", "Verdict", "examine", "worst"]
