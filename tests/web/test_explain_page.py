"""`/explain` and `/freezes`: what is asked, what is shown, and that hostile words stay words."""

from contextlib import suppress

import pytest
from browsing import get, serving
from hypothesis import given
from hypothesis import strategies as st
from scene import NEWS, Scene

from cccamd.errors import NumberError
from cccamd.facts import FreezeReport
from cccamd.web.context import explain_link
from cccamd.web.pages import read_question
from cccamd.why import Question
from fact_factory import a_freeze

HOSTILE = '<script>alert("1")</script>&'


async def test_the_question_is_read_from_the_address() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        page = await get(port, explain_link(account="kids", service=NEWS))
        await get(port, "/explain?channel=0b00%3A030b00%3A1d80&account=")
        await get(port, "/explain?channel=0B00&source=attic")
    caid, ident, sid = NEWS.caid, NEWS.ident, NEWS.sid
    assert scene.asked == [
        Question(account="kids", caid=caid, ident=ident, sid=sid),
        Question(caid=caid, ident=ident, sid=sid),
        Question(source="attic", caid=caid),
    ]
    for words in ("Nordlicht News HD", "not seen", "CCcam.cfg:13", "no card fits"):
        assert words in page.text


async def test_a_bad_number_is_answered_in_words() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        page = await get(port, "/explain?caid=0500&sid=xyz")
    assert page.status.endswith("400 Bad Request")
    assert "a SID is up to 4 hex digits" in page.text
    assert not scene.asked


KEYS = ("account", "source", "channel", "caid", "ident", "sid")


@given(st.dictionaries(st.sampled_from(KEYS), st.text() | st.from_regex("[0-9a-f:]{1,18}")))
def test_any_query_is_a_question_or_a_clear_error(query: dict[str, str]) -> None:
    with suppress(NumberError):
        question = read_question(query)
        assert question.caid is None or 0 <= question.caid <= 0xFFFF
        assert question.ident is None or 0 <= question.ident <= 0xFFFFFF
        assert question.sid is None or 0 <= question.sid <= 0xFFFF


@pytest.mark.parametrize("path", ["/", "/explain", "/freezes"])
async def test_hostile_words_stay_words(path: str) -> None:
    scene = Scene()
    scene.change(accounts=(HOSTILE,))
    freeze = a_freeze(HOSTILE, name=HOSTILE, source=HOSTILE, cause=HOSTILE, around=(HOSTILE,))
    scene.report = FreezeReport(freezes=(freeze,))
    async with serving(scene.app()) as port:
        page = await get(port, f"{path}?account=%3Cscript%3Ealert(%22%3E")
    assert "<script>alert" not in page.text
