"""Why an account sees a card or not, and why an ECM went where it went. Pure.

`explain` takes a `Question` and the `Evidence` of a server (or `evidence_of_files`), and gives
an `Explanation`, which is plain text and numbers. docs/explain.md shows it.
"""

from cccamd.why.answer import (
    CardAnswer,
    EcmStory,
    Explanation,
    NotAnExplanationError,
    StoryStep,
    as_json,
    from_json,
    report_lines,
)
from cccamd.why.evidence import Evidence, Question
from cccamd.why.explaining import explain
from cccamd.why.finding import Finding, Setting, Weight
from cccamd.why.offline import evidence_of_files, local_card
from cccamd.why.recent import Recent

__all__ = [
    "CardAnswer",
    "EcmStory",
    "Evidence",
    "Explanation",
    "Finding",
    "NotAnExplanationError",
    "Question",
    "Recent",
    "Setting",
    "StoryStep",
    "Weight",
    "as_json",
    "evidence_of_files",
    "explain",
    "from_json",
    "local_card",
    "report_lines",
]
