"""Why something works or does not: judgements, and the one set of words for each reason. Pure.

`explain` takes a `Question` and the `Evidence` of a server (or `evidence_of_files`), and gives
an `Explanation` (docs/explain.md). `examine` takes the `Case` that the doctor saw, and gives a
`Diagnosis` for each check (docs/doctor.md). Both say a `Finding` for a reason, and the same one.
"""

from cccamd.why.accepting import ClosedDoor
from cccamd.why.answer import (
    CardAnswer,
    EcmStory,
    Explanation,
    StoryStep,
    as_json,
    report_lines,
)
from cccamd.why.brake import penalty_text
from cccamd.why.checkup import Household, check_up
from cccamd.why.clones import CLONE_CHANGE, clone_text
from cccamd.why.diagnosis import Check, Diagnosis, Grade, worst
from cccamd.why.diary import (
    ChannelName,
    away_for,
    describe_entry,
    entry_record,
    nameless,
    write_entries,
)
from cccamd.why.evidence import Evidence, Question, Recent, by_account, evidence_of_files
from cccamd.why.examination import Case, RunningServer, examine
from cccamd.why.explaining import explain, explaining
from cccamd.why.finding import Finding, Setting, Weight, json_text
from cccamd.why.fleetwords import (
    ENGINE_AWAY,
    all_nodes,
    config_shown,
    fleet_counted,
    is_noted,
    odd_nodes,
    slow_engine,
)
from cccamd.why.freezetext import disguised_lines, freeze_lines
from cccamd.why.host import JOURNAL, OWN_CLOCK, MachineTrouble, judge_resources
from cccamd.why.installation import Access, Installation, Written
from cccamd.why.links import Trial, is_seed
from cccamd.why.network import RoundTrip
from cccamd.why.overload import Load
from cccamd.why.ports import PortSeen, WantedPort, explain_taken, listened_addresses, wanted_ports
from cccamd.why.scene import Receiver, Scene
from cccamd.why.symptoms import find_symptoms
from cccamd.why.together import Together
from cccamd.why.verdict import CHANGES, judge_freeze, judge_receiver

__all__ = [
    "CHANGES",
    "CLONE_CHANGE",
    "ENGINE_AWAY",
    "JOURNAL",
    "OWN_CLOCK",
    "Access",
    "CardAnswer",
    "Case",
    "ChannelName",
    "Check",
    "ClosedDoor",
    "Diagnosis",
    "EcmStory",
    "Evidence",
    "Explanation",
    "Finding",
    "Grade",
    "Household",
    "Installation",
    "Load",
    "MachineTrouble",
    "PortSeen",
    "Question",
    "Receiver",
    "Recent",
    "RoundTrip",
    "RunningServer",
    "Scene",
    "Setting",
    "StoryStep",
    "Together",
    "Trial",
    "WantedPort",
    "Weight",
    "Written",
    "all_nodes",
    "as_json",
    "away_for",
    "by_account",
    "check_up",
    "clone_text",
    "config_shown",
    "describe_entry",
    "disguised_lines",
    "entry_record",
    "evidence_of_files",
    "examine",
    "explain",
    "explain_taken",
    "explaining",
    "find_symptoms",
    "fleet_counted",
    "freeze_lines",
    "is_noted",
    "is_seed",
    "json_text",
    "judge_freeze",
    "judge_receiver",
    "judge_resources",
    "listened_addresses",
    "nameless",
    "odd_nodes",
    "penalty_text",
    "report_lines",
    "slow_engine",
    "wanted_ports",
    "worst",
    "write_entries",
]
