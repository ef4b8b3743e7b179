"""Versions of a view: whoever follows the differences has the same as who takes the whole."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import at_once
from cccamd.web.versions import KEPT, Versions, View

ROWS = st.dictionaries(
    st.sampled_from("abcd"),
    st.fixed_dictionaries({"n": st.integers(0, 2), "t": st.sampled_from([None, "", "x"])}),
)
VIEWS = st.lists(st.fixed_dictionaries({"p": ROWS, "q": ROWS}), min_size=1, max_size=8)


def take(parts: dict[str, Any], change: dict[str, Any]) -> None:
    """What the script does with a difference."""
    for name, part in change.items():
        rows = parts.setdefault(name, {})
        for key in part.get("gone", ()):
            del rows[key]
        for key, fields in part.get("put", {}).items():
            rows[key] = rows.get(key, {}) | fields


@given(VIEWS, st.data())
def test_differences_lead_to_the_whole(views: list[View], data: st.DataObject) -> None:
    versions = Versions("run")
    names, states = [], []
    for view in views:
        at_once(versions.advance(view))
        version, text = at_once(versions.whole())
        whole = json.loads(text)
        assert version == whole["version"] == versions.version
        names.append(version)
        states.append({name: part["put"] for name, part in whole["parts"].items()})
    start = data.draw(st.integers(0, len(views) - 1))
    state, at = json.loads(json.dumps(states[start])), names[start]
    for text in versions.since(names[start]) or []:
        change = json.loads(text)
        assert change["from"] == at
        take(state, change["parts"])
        at = change["version"]
    assert (state, at) == (states[-1], names[-1])


def test_who_was_away_too_long_or_knows_another_run_takes_the_whole() -> None:
    versions = Versions("run")
    at_once(versions.advance({"p": {}}))
    at_once(versions.advance({"p": {"a": {"n": -1}}}))
    first = versions.version
    for number in range(KEPT):
        at_once(versions.advance({"p": {"a": {"n": number}}}))
    assert len(versions.since(first) or []) == KEPT
    at_once(versions.advance({"p": {}}))
    assert versions.since(first) is None
    for strange in ("", "other-3", "run-", "run-99999", "run--1", "run-1e3", "run-" + "9" * 5000):
        assert versions.since(strange) is None


def test_what_has_not_changed_is_not_told() -> None:
    versions = Versions("run")
    row = {"account": "anna", "asked": 1, "cards": 5}
    at_once(versions.advance({"clients": {"a": row, "b": row}}))
    before = versions.version
    at_once(versions.advance({"clients": {"a": row | {"asked": 2}, "b": row}}))
    (text,) = versions.since(before) or []
    assert json.loads(text)["parts"] == {"clients": {"put": {"a": {"asked": 2}}}}
