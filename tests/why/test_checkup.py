"""What the doctor says from inside the running server."""

from dataclasses import replace

from cccamd.facts import ConfigProblem, ConfigProblemKind, ConfigState, LinkState, Step
from cccamd.machine import Supply
from cccamd.setup.cccamcfg import parse
from cccamd.setup.logins import upstreams_of
from cccamd.setup.toml import TomlConfig
from cccamd.why import Diagnosis, Grade, Household, check_up
from fact_factory import NOW, a_snapshot, a_source

SUPPLY = Supply(files=20_000, memory=1 << 30, is_running=True)
CFG = b"F: anna pw\nC: a.example 12000 u p\nC: b.example 12000 u p\nC: c.example 12000 u p\n"


def found(config: ConfigState) -> dict[tuple[Grade, str], Diagnosis]:
    """By grade and subject, what is said of one link of each kind."""
    parsed = parse(CFG).config
    refused = "connection refused: a.example is there, but nothing listens on port 12000"
    connecting = {"state": LinkState.CONNECTING, "up_at": None, "usual_seconds": None, "asked": 0}
    waiting = a_source("a.example:12000", line=2, state=LinkState.WAITING, cards_by_hop={})
    sources = (
        replace(waiting, up_at=None, failed_step=Step.REFUSED, last_failure=refused),
        a_source("b.example:12000", line=3, silent_since=NOW - 60),
        a_source("c.example:12000", line=4, **connecting),
    )
    house = Household(
        snapshot=a_snapshot(sources=sources, accounts=("anna",), config=config),
        config=parsed,
        toml=TomlConfig(),
        upstreams=tuple(upstreams_of(parsed, TomlConfig())),
        supply=SUPPLY,
        minute=600,
    )
    return {(one.grade, one.subject): one for one in check_up(house)}


def test_a_link_is_judged_by_what_the_server_knows_and_nothing_was_tried() -> None:
    verdicts = found(ConfigState())
    down = verdicts[Grade.FAILURE, "a.example:12000"]
    assert down.finding.text.startswith("our server is waiting: connection refused")
    assert "it answers" not in down.finding.text
    assert "answers nothing" in verdicts[Grade.WARNING, "b.example:12000"].finding.text
    assert "c.example:12000" not in {subject for _, subject in verdicts}


def test_what_is_wrong_with_the_files_is_named_with_its_place() -> None:
    problem = ConfigProblem(
        kind=ConfigProblemKind.NOT_DONE, file="/etc/CCcam.cfg", line=7, text="the port is taken"
    )
    state = ConfigState(taken=False, refusal="cccamd.toml:3: no such key", problems=(problem,))
    verdicts = found(state)
    text = verdicts[Grade.FAILURE, "/etc/CCcam.cfg:7"].finding.text
    assert text == "not done: the port is taken"
    assert "cccamd.toml:3" in verdicts[Grade.FAILURE, ""].finding.text
