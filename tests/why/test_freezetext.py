"""A freeze in words, and without anything that tells who it was."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import Verdict
from cccamd.ids import Caid, Ident, Sid
from cccamd.why import disguised_lines, freeze_lines
from cccamd.why.freezetext import Disguise
from fact_factory import a_freeze

SOURCE = "card.example.org:12000"
FREEZE = a_freeze(
    "livingroom",
    caid=Caid(0x0B00),
    ident=Ident(0x030B00),
    sid=Sid(0x1D80),
    name="Das Erste",
    source=SOURCE,
    verdict=Verdict.SOURCE_SILENT,
    cause=f"{SOURCE} did not answer in time (3 times)",
    evidence=(
        f"-10.0 s: asked, NOK1 after 4.50 s: {SOURCE} did not answer in time",
        "the key changes every 10.0 s (last: 10.0, 10.0 s)",
        "the link to backup.example.org:12001 was lost, and is not there again",
        "livingroom2 and livingroom are not the same",
    ),
    around=(
        f"+1.0 s: {SOURCE} was lost: 203.0.113.7 has reset the connection, node 380ceca0f39150d3",
        "+1.0 s: [2001:db8:77::5]:12000 refused, as did ::1 and 203.0.113.7",
        f"{SOURCE} also was in trouble with other services: 0B00:030B00:1D80, 0B00:030B00:0002",
    ),
)
SECRETS = ("livingroom", "example.org", "Das Erste", "203.0.113.7", "380ceca0f39150d3", "1D80")


def when(at: float) -> str:
    return "2026-11-25 20:00:00 UTC"


def test_it_is_told_whole() -> None:
    text = "\n".join(freeze_lines(FREEZE, when=when))
    assert text.startswith("freeze 7: livingroom on Das Erste (0B00:030B00:1D80)\n")
    assert "verdict: a source did not answer\n" in text
    for line in (*FREEZE.evidence, *FREEZE.around):
        assert line in text


def test_nothing_tells_who_it_was() -> None:
    lines = disguised_lines(
        FREEZE,
        accounts=["livingroom", "livingroom2"],
        sources=[SOURCE, "backup.example.org:12001"],
        when=when,
    )
    text = "\n".join(lines)
    for secret in (*SECRETS, "2001:db8:77", " ::1 "):
        assert secret not in text, secret
    assert "freeze 7: account-1 on channel-1 (0B00:030B00:sid-1)" in text
    assert "source-1 did not answer in time (3 times)" in text
    assert "account-2 and account-1 are not the same" in text
    assert "the link to source-2 was lost" in text
    assert text.count("192.0.2.1") == 2
    assert "2001:db8::1" in text
    assert "node node-1" in text
    assert "0B00:030B00:sid-1, 0B00:030B00:sid-2" in text
    assert "the key changes every 10.0 s (last: 10.0, 10.0 s)" in text  # no address
    assert "2026-11-25 20:00:00 UTC" in text


def test_our_own_words_stay() -> None:
    disguise = Disguise(accounts=["a"], sources=["attic"])
    text = "-0.5 s: cccamd.toml and CCcam.prio stay; 12.5 s, 80/81, `cccamd explain`"
    assert disguise.text(text) == text


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9_.-]{2,12}", fullmatch=True), max_size=5),
    st.lists(st.from_regex(r"[a-z][a-z0-9-]{2,9}\.example(:[1-9][0-9]{3})?", fullmatch=True)),
)
def test_no_name_survives(accounts: list[str], sources: list[str]) -> None:
    disguise = Disguise(accounts=accounts, sources=sources)
    for name in (*accounts, *sources):
        told = disguise.text(f"so {name}, here")
        assert re.fullmatch(r"so (account|source|host)-\d+, here", told), told
