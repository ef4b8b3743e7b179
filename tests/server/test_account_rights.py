"""What `[[account]]`, `[[upstream]]` and `[services]` of cccamd.toml do, from end to end."""

import asyncio
from datetime import date, datetime, timedelta

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, ask, cards_of, expected_cw, running, setup

from cccamd.ids import Caid, Ident, ShareId
from cccamd.lab.ports import free_port
from cccamd.net import ConnectError
from cccamd.setup.hours import WEEK
from cccamd.values import Emm, Refusal
from cccamd.why import Question

ECM = b"\x80\x70\x03abc"
TWO_CARDS = """
[[card]]
kind = "test"
name = "sport"
caid = "7F00"
providers = ["00000A"]
groups = [1]
[[card]]
kind = "test"
name = "film"
caid = "7F01"
providers = ["00000A"]
groups = [2, 3]
"""
YESTERDAY, TOMORROW = date.today() - timedelta(days=1), date.today() + timedelta(days=1)


def account(more: str, user: str = "anna") -> str:
    return f'[[account]]\nuser = "{user}"\n{more}\n'


async def caids(client: object) -> list[int]:
    return sorted(card.caid for card in client.cards.values())  # type: ignore[attr-defined]


async def findings(lab: Laboratory, user: str = "anna") -> str:
    explanation = lab.server.explain(Question(account=user))
    return "\n".join(f"{each.code}: {each.text}" for each in explanation.findings)


async def test_who_may_not_log_in_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    cfg = "F: anna secret\nF: ben secret\n"
    toml = account("enabled = false") + account('protocols = ["newcamd"]', "ben") + TEST_CARD
    async with running(cfg, toml) as lab:
        for user in ("anna", "ben"):
            with pytest.raises(ConnectError):
                async with lab.client(user):
                    pass
        assert "disabled: " in await findings(lab)
        assert "by newcamd only" in await findings(lab, "ben")
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "its account is switched off in cccamd.toml (enabled = false)" in told
    assert "speak other protocols only (newcamd; it came by cccam)" in told


async def test_an_account_that_expired_sees_cards_and_gets_no_cw() -> None:
    async with (
        running(toml=account(f"expires = {YESTERDAY}") + TEST_CARD) as lab,
        lab.client() as client,
    ):
        await cards_of(client)
        assert await ask(client, ECM) is Refusal.PASSING
        assert f"control words up to {YESTERDAY}: every request is refused" in await findings(lab)


async def test_the_last_day_is_a_good_one_and_the_next_file_counts_at_once() -> None:
    async with (
        running(toml=account(f"expires = {date.today()}") + TEST_CARD) as lab,
        lab.client() as client,
    ):
        await cards_of(client)
        assert await ask(client, ECM) == expected_cw(ECM)
        edited = setup(
            "F: anna secret", account(f"expires = {YESTERDAY}") + TEST_CARD, port=lab.port
        )
        await lab.server.reload(edited)
        assert await ask(client, ECM) is Refusal.PASSING, "it stays logged in"


async def test_hours_by_day() -> None:
    day = WEEK[datetime.now().weekday()]
    others = [each for each in WEEK if each != day]
    shut = ", ".join(f'{each} = ["00:00-24:00"]' for each in others[1:3])
    for times, expected in (
        (f'{{ ALL = ["10:00-10:00"], {day} = ["00:00-24:00"] }}', expected_cw(ECM)),
        (f'{{ ALL = ["00:00-24:00"], {day} = ["10:00-10:00"] }}', Refusal.PASSING),
        (f"{{ {shut} }}", Refusal.PASSING),
    ):
        toml = account(f"times = {times}") + TEST_CARD
        async with running(toml=toml) as lab, lab.client() as client:
            await cards_of(client)
            assert await ask(client, ECM) == expected, times
            assert "control words at" in await findings(lab)


async def test_accounts_see_the_cards_of_their_groups() -> None:
    cfg = "F: anna secret\nF: ben secret\nF: carl secret\nF: dora secret\n"
    toml = account("groups = [1]") + account("groups = [3]", "ben") + account("groups = []", "carl")
    async with running(cfg, toml + TWO_CARDS) as lab:
        for user, expected in (
            ("anna", [0x7F00]),
            ("ben", [0x7F01]),
            ("carl", []),
            ("dora", [0x7F00, 0x7F01]),
        ):
            async with lab.client(user) as client:
                await cards_of(client, len(expected))
                assert await caids(client) == expected, user
                for caid in (0x7F00, 0x7F01):
                    answer = await ask(client, ECM, caid=caid)
                    assert (answer == expected_cw(ECM)) is (caid in expected), (user, caid)
        told = lab.server.explain(Question(account="anna", caid=Caid(0x7F01)))
        assert "the account is in 1, its source in 2, 3" in str(told)


async def test_a_reload_of_groups_takes_cards_away_at_once() -> None:
    async with (
        running("F: anna secret", account("groups = [1]") + TWO_CARDS) as lab,
        lab.client() as client,
    ):
        await cards_of(client, 1)
        toml = account("groups = [2]") + TWO_CARDS
        edited = setup("F: anna secret", toml, port=lab.port)
        await lab.server.reload(edited)
        assert await ask(client, ECM) != expected_cw(ECM)
        assert await ask(client, ECM, caid=0x7F01) == expected_cw(ECM)
        async with asyncio.timeout(10):
            while await caids(client) != [0x7F01]:
                await asyncio.sleep(0.01)


async def test_lists_of_services() -> None:
    lists = """
[services.news]
caids = ["7F00"]
sids = ["0001", "0002"]
[services."late night"]
sids = ["0002"]
"""
    cfg = "F: anna secret\nF: ben secret\n"
    toml = account('services = ["news", "!late night"]')
    toml += account('services = ["!late night"]', "ben") + lists + TEST_CARD
    async with running(cfg, toml) as lab:
        for user, served in (("anna", [1]), ("ben", [1, 3])):
            async with lab.client(user) as client:
                await cards_of(client, 1)
                answers = {sid: await ask(client, ECM, sid=sid) for sid in (1, 2, 3)}
                assert [sid for sid, cw in answers.items() if cw == expected_cw(ECM)] == served
                assert await ask(client, ECM, sid=0) != expected_cw(ECM), "it may mean any"


async def test_providers_that_an_account_may_have() -> None:
    card = TEST_CARD.replace('["00000A"]', '["000000", "00000A", "00000B"]')
    toml = account('idents = ["7F00:00000A"]') + card
    async with running(toml=toml) as lab, lab.client() as client:
        await cards_of(client, 1)
        (offer,) = client.cards.values()
        assert [provider.ident for provider in offer.providers] == [0x0A]
        explained = str(
            lab.server.explain(Question(account="anna", caid=Caid(0x7F00), ident=Ident(0x0B)))
        )
        assert "00000B" in explained


async def test_an_account_that_only_cccamd_toml_can_hold() -> None:
    toml = account('password = "two words"\nmax_hop = 0\nlimits = ["7F00:0:1"]', "bo bo")
    async with running("", toml + TEST_CARD) as lab, lab.client("bo bo", "two words") as client:
        await cards_of(client, 1)
        assert await ask(client, ECM) == expected_cw(ECM)
        told = str(lab.server.explain(Question(account="bo bo", caid=Caid(0x7F00))))
        assert "the [[account]] in line 1" in told


async def test_logins_by_either_name_and_for_all() -> None:
    cfg = "F: anna secret\nF: ben secret\n"
    toml = "[limits]\nlogins_per_account = 3\n" + account("max_connections = 2") + TEST_CARD
    made = setup(cfg, toml, port=free_port())
    assert {user: each.logins for user, each in made.accounts.items()} == {b"anna": 2, b"ben": 3}
    async with running(cfg, toml) as lab, lab.client() as first, lab.client() as second:
        with pytest.raises(ConnectError):
            async with lab.client():
                pass
        assert first.closed is second.closed is None


async def test_emms_go_to_the_sources_that_an_account_names() -> None:
    """The card does not take them, but the gate lets them through or not."""
    cfg = "F: anna secret 5 0 1\nF: ben secret 5 0 1\n"
    toml = account('emm_to = ["sport"]') + TWO_CARDS.replace("groups", "# groups")
    async with running(cfg, toml) as lab:
        for user, expected in (("anna", {0x7F00}), ("ben", {0x7F00, 0x7F01})):
            async with lab.client(user) as client:
                await cards_of(client, 2)
                for number, card in client.cards.items():
                    section = b"\x82\x70\x05" + user.encode()[:2] + bytes(3)
                    emm = Emm(Caid(card.caid), Ident(0), ShareId(number), section)
                    await client.send_emm(emm)
                (seen,) = lab.server.snapshot().clients
                assert (seen.emms_sent, seen.emms_passed) == (2, len(expected)), user


async def test_what_an_upstream_may_give() -> None:
    far_cards = TWO_CARDS.replace("groups", "# groups")
    async with running("F: me secret 5 0 1 { 0:0:3 }", far_cards) as far:
        line = f"C: {HOST} {far.port} me secret\nF: anna secret 5 0 1\n"
        upstream = f'[[upstream]]\nhost = "{HOST}"\nport = {far.port}\nuser = "me"\n'
        upstream += 'name = "far"\ncaids = ["7F01"]\nreshare = 0\n'
        async with running(line, upstream) as lab, lab.client() as client:
            await cards_of(client, 1)
            (card,) = client.cards.values()
            assert (card.caid, card.reshare) == (0x7F01, 0)
            explained = str(lab.server.explain(Question(account="anna", caid=Caid(0x7F00))))
            assert "its [[upstream]] far lists neither CAID 7F00 nor a provider" in explained
