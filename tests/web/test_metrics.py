"""Prometheus metrics: what is counted, how it is named, and that labels stay bounded."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import get, serving
from contexts import a_context
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from cccamd.facts import Cause, EcmResult, FreezeReport, Snapshot
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch import (
    ClientLoggedOut,
    EcmFinished,
    EmmFinished,
    FreezeBegan,
    FreezeEnded,
    IncidentBegan,
    IncidentGrew,
    LoginFailed,
    SourceAnswered,
    SourceDown,
)
from cccamd.watch.metrics.counting import NAMES_LIMIT, Metrics
from cccamd.watch.metrics.exposition import collect, metrics_text
from cccamd.web.app import create_app
from fact_factory import (
    NOW,
    OFFLINE,
    UPSTREAM,
    a_card,
    a_freeze,
    a_household,
    a_margin,
    a_snapshot,
    a_source,
    an_incident,
)

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "cccamd.json"
UNITS = ("_seconds", "_bytes", "_total", "_info", "_count", "_sum", "_bucket", "_seconds_total")
COUNTED_THINGS = {
    "cccamd_accounts",
    "cccamd_bans",
    "cccamd_workers",
    "cccamd_workers_away",
    "cccamd_logins_slowed",
    "cccamd_fleet_engine_up",
    "cccamd_fleet_nodes",
    "cccamd_fleet_nodes_absent",
    "cccamd_tasks",
    "cccamd_cards",
    "cccamd_clients",
    "cccamd_config_last_reload_successful",
    "cccamd_config_left_out",
    "cccamd_config_not_done",
    "cccamd_config_waiting",
    "cccamd_incident_sufferers",
    "cccamd_incidents_open",
    "cccamd_clones",
    "cccamd_services_descrambled",
    "cccamd_double_logins",
    "cccamd_logins_pending",
    "cccamd_requests_pending",
    "cccamd_source_cards",
    "cccamd_source_requests_in_flight",
    "cccamd_source_protected",
    "cccamd_source_silent",
    "cccamd_source_up",
}


def an_ecm(
    *,
    account: str = "living",
    result: EcmResult = EcmResult.CW,
    seconds: float = 0.25,
    cached: bool = False,
) -> EcmFinished:
    return EcmFinished(
        at=NOW,
        account=account,
        caid=Caid(0x0500),
        ident=Ident(0x032830),
        sid=Sid(0x1D80),
        parity=0x80,
        fingerprint=b"1",
        result=result,
        seconds=seconds,
        source=UPSTREAM,
        cached=cached,
    )


def an_answer(source: str, result: EcmResult, seconds: float = 0.25) -> SourceAnswered:
    return SourceAnswered(
        at=NOW,
        source=source,
        caid=Caid(0x0500),
        ident=Ident(0),
        sid=Sid(0),
        result=result,
        seconds=seconds,
    )


def samples(metrics: Metrics, snapshot: Snapshot | None = None) -> Iterator[Sample]:
    collected = collect(metrics, snapshot or a_snapshot(), FreezeReport())
    text, _ = metrics_text(collected)
    for family in text_string_to_metric_families(text.decode()):
        yield from family.samples


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = [
        sample.value
        for sample in samples(metrics, a_household())
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, f"{name} {labels}: {found}"
    return found[0]


def test_ecms_are_counted_by_result_time_and_account() -> None:
    metrics = Metrics()
    metrics.observe(an_ecm(seconds=0.25))
    metrics.observe(an_ecm(seconds=9.0, cached=True))
    metrics.observe(an_ecm(result=EcmResult.NOK2, account="bedroom"))
    bucket = "cccamd_ecm_duration_seconds_bucket"
    assert value(metrics, bucket, result="cw", le="0.2") == 0
    assert value(metrics, bucket, result="cw", le="0.3") == 1
    assert value(metrics, bucket, result="cw", le="4.5") == 1
    assert value(metrics, bucket, result="cw", le="+Inf") == 2
    assert value(metrics, "cccamd_ecm_duration_seconds_sum", result="cw") == 9.25
    assert value(metrics, "cccamd_ecm_duration_seconds_count", result="nok2") == 1
    assert value(metrics, "cccamd_ecms_cached_total") == 1
    assert value(metrics, "cccamd_account_ecms_total", account="living", result="cw") == 2


def test_sources_are_counted_by_result_and_time() -> None:
    metrics = Metrics()
    metrics.observe(an_answer(UPSTREAM, EcmResult.CW))
    metrics.observe(an_answer(UPSTREAM, EcmResult.NOK1))
    metrics.observe(SourceDown(at=NOW, source=UPSTREAM, reason="gone"))
    assert value(metrics, "cccamd_source_ecms_total", source=UPSTREAM, result="nok1") == 1
    assert value(metrics, "cccamd_source_answer_duration_seconds_count", source=UPSTREAM) == 1
    assert value(metrics, "cccamd_source_losses_total", source=UPSTREAM) == 1


def test_logins_emms_and_freezes() -> None:
    metrics = Metrics()
    metrics.observe(LoginFailed(at=NOW, account="", address="192.0.2.1", reason="no"))
    metrics.observe(ClientLoggedOut(at=NOW, account="a", address="192.0.2.1", reason="bye"))
    metrics.observe(
        EmmFinished(at=NOW, account="a", caid=Caid(1), passed=False, verdict="not for this card")
    )
    frozen = a_freeze("a", seconds=2.5)
    metrics.observe(FreezeBegan(at=NOW, freeze=replace(frozen, over=False)))
    ended = FreezeEnded(at=NOW + 2.5, freeze=frozen)
    metrics.observe(ended)
    assert value(metrics, "cccamd_logins_total", result="failed") == 1
    assert value(metrics, "cccamd_logouts_total") == 1
    assert value(metrics, "cccamd_emms_total", result="refused") == 1
    assert value(metrics, "cccamd_freezes_total", account="a") == 1
    assert value(metrics, "cccamd_frozen_seconds_total", account="a") == 2.5


def test_an_incident_counts_under_each_cause_that_it_has_had() -> None:
    metrics = Metrics()
    silent, down = an_incident(cause=Cause.SOURCE_SILENT), an_incident()
    metrics.observe(IncidentBegan(at=NOW, incident=silent))
    metrics.observe(IncidentGrew(at=NOW, incident=silent))
    metrics.observe(IncidentGrew(at=NOW, incident=down, is_renamed=True))
    for incident in (silent, down):
        assert value(metrics, "cccamd_incidents_total", cause=incident.cause.value) == 1


def test_gauges_of_a_household() -> None:
    metrics = Metrics()
    assert value(metrics, "cccamd_clients", state="active") == 1
    assert value(metrics, "cccamd_clients", state="idle") == 1
    assert value(metrics, "cccamd_source_up", source=UPSTREAM, kind="cccam") == 1
    assert value(metrics, "cccamd_source_up", source=OFFLINE, kind="cccam") == 0
    assert value(metrics, "cccamd_source_cards", source=UPSTREAM) == 2
    assert value(metrics, "cccamd_cards", hop="2") == 1
    assert value(metrics, "cccamd_connections_refused_total") == 1


def test_the_tightest_channel_of_an_account_counts() -> None:
    channels = tuple(
        a_margin(sid=Sid(sid), margin=margin) for sid, margin in enumerate((4.0, 1.5, None))
    )
    text, _ = metrics_text(collect(Metrics(), a_snapshot(), FreezeReport(channels=channels)))
    assert b'cccamd_channel_margin_seconds{account="living"} 1.5\n' in text


def test_names_have_units_and_a_prefix() -> None:
    for sample in samples(Metrics(), a_household()):
        assert sample.name.startswith(("cccamd_", "process_"))
        assert sample.name.endswith(UNITS) or sample.name in COUNTED_THINGS | {
            "process_open_fds",
            "process_max_fds",
        }


def test_label_sets_are_bounded() -> None:
    metrics = Metrics()
    for number in range(NAMES_LIMIT + 50):
        metrics.observe(an_ecm(account=f"user{number}"))
    accounts = [
        sample.labels["account"]
        for sample in samples(metrics)
        if sample.name == "cccamd_account_ecms_total"
    ]
    assert len(accounts) == NAMES_LIMIT + 1
    assert value(metrics, "cccamd_account_ecms_total", account="other", result="cw") == 50
    far = a_snapshot(cards=tuple(a_card(share_id=hop, hop=hop) for hop in range(200)))
    hops = [sample for sample in samples(metrics, far) if sample.name == "cccamd_cards"]
    assert len(hops) == 11


def test_two_links_to_one_host_are_one_series() -> None:
    snapshot = a_snapshot(sources=(a_source(), a_source()))
    seen = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for sample in samples(Metrics(), snapshot)
    ]
    assert len(seen) == len(set(seen))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_name_can_be_a_label(name: str) -> None:
    metrics = Metrics()
    metrics.observe(an_ecm(account=name))
    assert value(metrics, "cccamd_account_ecms_total", account=name, result="cw") == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
async def test_scraping(accept: str, content_type: str) -> None:
    async with serving(create_app(a_context(a_household))) as port:
        reply = await get(port, "/metrics", f"Accept: {accept}")
    assert reply.status == "HTTP/1.1 200 OK"
    assert reply.headers["content-type"].startswith(content_type)
    assert "cccamd_build_info{" in reply.text


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    metrics = Metrics()
    metrics.observe(an_ecm())
    metrics.observe(an_answer(UPSTREAM, EcmResult.CW))
    collected = collect(metrics, a_household(), FreezeReport())
    families = {family.name: family.type for family in collected}
    known = {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}
    for name, kind in families.items():
        if kind == "histogram":
            known |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [note["expr"] for note in dashboard["annotations"]["list"]]
    asked += [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
    asked.append(DASHBOARD.with_name("alerts.yml").read_text())
    named = {name for text in asked for name in re.findall(r"(?:cccamd|process)_\w+", text)}
    assert len(named) > 15
    assert named <= known


def test_the_manual_lists_all_metrics_and_no_others() -> None:
    manual = (DASHBOARD.parents[1] / "api.md").read_text()
    listed = set(re.findall(r"^\| `(cccamd_\w+)`", manual, re.MULTILINE))
    families = collect(Metrics(), a_household(), FreezeReport())
    found = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert listed == {name for name in found if name.startswith("cccamd_")}
