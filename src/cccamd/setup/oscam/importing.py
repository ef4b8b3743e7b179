"""From the files of an OSCam folder to a plan, and a report of what is not in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.setup.oscam import accounts, conf, readers, services
from cccamd.setup.oscam.accounts import AccountReader
from cccamd.setup.oscam.conf import Conf, ConfReader
from cccamd.setup.oscam.lexer import ReadFile, is_remark, lines_of, read_sections
from cccamd.setup.oscam.names import read_dvbapi, read_provid, read_srvid, read_srvid2
from cccamd.setup.oscam.plan import NOTHING, AccountPlan, CardPlan, Plan, UpstreamPlan
from cccamd.setup.oscam.readers import ServerReader
from cccamd.setup.oscam.render import Written, render
from cccamd.setup.oscam.report import IGNORED_TOO, Lost, Report
from cccamd.setup.oscam.rules import EMULATION, EXCHANGE, REWRITING, WRONG_WORDS
from cccamd.setup.oscam.services import read_services

MAIN_FILES: Final = (conf.FILE, accounts.FILE, readers.FILE)
"""Without any of them a folder is none of OSCam's."""
_SRVID, _SRVID2, _PROVID, _DVBAPI = "oscam.srvid", "oscam.srvid2", "oscam.provid", "oscam.dvbapi"
_WHITELIST: Final = "oscam.whitelist"
_LOST_FILES: Final = {
    _WHITELIST: "ECMs are not chosen by their length",
    "oscam.ratelimit": "ECMs to a source are not counted",
    "oscam.tiers": "the tiers of a local card are for the program that drives it",
    "oscam.cacheex": EXCHANGE,
    "oscam.ac": "receivers behind an account are not counted",
    "oscam.guess": "it is for local card readers",
    "oscam.ird": "it is for local card readers",
    "oscam.cert": "it is for local card readers",
    "oscam.twin": "it is for a decoder, and there is none here",
    "oscam.fakecws": WRONG_WORDS,
    "SoftCam.Key": EMULATION,
    "AutoRoll.Key": EMULATION,
    "stmkeys.bin": EMULATION,
}
MIXED_IN: Final = "what stands below counts for the section above"
FILES: Final = (
    *MAIN_FILES,
    services.FILE,
    _SRVID2,
    _SRVID,
    _PROVID,
    _DVBAPI,
    *_LOST_FILES,
)
"""What is looked at in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import brings."""

    written: Written
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]


def import_folder(
    files: Mapping[str, bytes], find: Callable[[str], bytes | None], *, out: str
) -> Imported:
    """Translate the files of a folder, by their names. Never raises.

    `find` reads a file that another one names; `out` is the folder that the companion files will
    be in.
    """
    return _Import(files, find, out).run()


class _Import:
    def __init__(
        self, files: Mapping[str, bytes], find: Callable[[str], bytes | None], out: str
    ) -> None:
        self._files, self._find, self._out = files, find, out
        self._plan, self._report = Plan(), Report()

    def run(self) -> Imported:
        plan, report = self._plan, self._report
        known = ConfReader(plan, report).read(self._sections(conf.FILE))
        lists = read_services(self._sections(services.FILE), report)
        server = ServerReader(plan, report, known, lists, self._find)
        server.read(self._sections(readers.FILE))
        labels = {each.label for each in plan.upstreams}
        reader = AccountReader(report, known, lists, labels)
        reader.read(self._sections(accounts.FILE))
        plan.accounts = reader.plans
        self._take_dvbapi(known)
        self._name_links()
        self._weigh_reshare(reader.reshares)
        self._weigh_groups()
        named = [name for each in plan.accounts for name in each.services]
        named += [name for each in plan.upstreams for name in each.services]
        used = {name.removeprefix("!") for name in named}
        plan.services = [each for name, each in lists.items() if name in used]
        self._companions()
        self._other_files()
        written = render(plan)
        self._tell_left_out(written, reader)
        return Imported(written=written, lost=report.lost, notes=tuple(report.notes))

    def _sections(self, name: str) -> ReadFile | None:
        if name not in self._files:
            return None
        found = read_sections(self._files[name])
        if found.bom:
            text = f"{name}: it begins with a byte order mark, over which OSCam stumbles: skipped"
            self._report.note(text)
        if found.utf16:
            why = "UTF-16 text, of which OSCam reads nothing either: save it as plain text"
            self._report.add(Lost(file=name, line=1, why=why))
        self._tell_spoilt_headers(name, found)
        return found

    def _tell_spoilt_headers(self, name: str, found: ReadFile) -> None:
        why = f"no header, as it has to be [name] and no more: {MIXED_IN}; {IGNORED_TOO}"
        for section in found.sections:
            for each in section.stray:
                if each.is_header:
                    self._report.about(name, section.name).whole(each.line, why)

    def _take_dvbapi(self, known: Conf) -> None:
        if "dvbapi" not in self._plan.tables:
            return
        names = {each.user for each in self._plan.accounts}
        user = known.dvbapi_user[:20]
        if user in names:
            self._plan.dvbapi_account = user
            return
        del self._plan.tables["dvbapi"]
        if known.dvbapi_entry is not None:
            why = "dvbapi is not opened: the account is not there, or not carried over"
            self._report.about(conf.FILE, "dvbapi").lost(known.dvbapi_entry, why)

    def _name_links(self) -> None:
        wanted = {label for each in self._plan.accounts for label in each.emm_to}
        for each in self._plan.upstreams:
            each.named = each.label in wanted

    def _weigh_reshare(self, accounts: list[int]) -> None:
        """A source's own limit says nothing where no account has a higher one."""
        highest = max(accounts, default=0)
        sources: list[UpstreamPlan | CardPlan] = [*self._plan.upstreams, *self._plan.cards]
        for each in sources:
            if each.reshare is not None and each.reshare < 0:
                self._hide(each)
            elif each.reshare is not None and each.reshare >= highest:
                each.reshare = None

    def _hide(self, source: UpstreamPlan | CardPlan) -> None:
        """It is offered to nobody by CCcam; who speaks something else is served all the same."""
        mine = source.groups or frozenset()
        viewers = [each for each in self._plan.accounts if mine & (each.groups or frozenset())]
        by_cccam = [each for each in viewers if "cccam" in _spoken(each)]
        if viewers and all(each.limits == NOTHING for each in by_cccam):
            source.reshare = None
            return
        source.groups, source.reshare = frozenset(), None
        if any(self._doors(each).intersection(_spoken(each)) for each in viewers):
            why = "its cards are hidden from CCcam clients there: here from newcamd and dvbapi, too"
            self._report.add(Lost(file=readers.FILE, section="reader", line=source.line, why=why))

    def _doors(self, account: AccountPlan) -> set[str]:
        """Where it can log in besides CCcam."""
        found = {"newcamd"} if self._plan.newcamd else set()
        return found | ({"dvbapi"} if self._plan.dvbapi_account == account.user else set())

    def _weigh_groups(self) -> None:
        """Where all are in the same groups, these say nothing."""
        plan = self._plan
        grouped: list[AccountPlan | UpstreamPlan | CardPlan] = [
            *plan.accounts,
            *plan.upstreams,
            *plan.cards,
        ]
        sets = {each.groups for each in grouped}
        if len(sets) == 1 and sets != {frozenset()}:
            for each in grouped:
                each.groups = None

    def _companions(self) -> None:
        plan, files = self._plan, self._files
        if _SRVID2 in files:
            plan.channels = read_srvid2(files[_SRVID2])
        elif _SRVID in files:
            plan.channels = read_srvid(files[_SRVID])
        if _PROVID in files:
            plan.providers = read_provid(files[_PROVID])
        if _DVBAPI in files:
            plan.priorities = read_dvbapi(files[_DVBAPI], self._report.about(_DVBAPI))
        for lines, key, name in (
            (plan.priorities, "CAID PRIO FILE", "CCcam.prio"),
            (plan.providers, "PROVIDERINFO FILE", "CCcam.providers"),
            (plan.channels, "CHANNELINFO FILE", "CCcam.channelinfo"),
        ):
            if lines:
                plan.settings[key] = f"{self._out}/{name}"

    def _other_files(self) -> None:
        for name, why in _LOST_FILES.items():
            if name not in self._files:
                continue
            lines = [
                (number, text)
                for number, text in lines_of(self._files[name])
                if not is_remark(text)
            ]
            if not lines:
                continue
            self._report.add(Lost(file=name, line=lines[0][0], why=why))
            if name == _WHITELIST:
                self._tell_mappings(lines)

    def _tell_mappings(self, lines: list[tuple[int, str]]) -> None:
        for number, text in lines[1:]:
            if text.lstrip(" \t").lower().startswith("m:"):
                self._report.add(Lost(file=_WHITELIST, line=number, why=REWRITING))

    def _tell_left_out(self, written: Written, reader: AccountReader) -> None:
        for each in written.left_out:
            if isinstance(each, AccountPlan):
                why = "neither CCcam.cfg nor cccamd.toml can hold this user and password"
                self._report.about(accounts.FILE, accounts.SECTION).lost(
                    reader.names[each.user], why
                )
            elif isinstance(each, UpstreamPlan):
                letter = "a C-line" if each.key is None else "an N-line"
                why = f"{letter} cannot hold user or password of {each.label}"
                self._report.add(
                    Lost(
                        file=readers.FILE,
                        section=readers.SECTION,
                        key="password",
                        line=each.line,
                        why=why,
                    )
                )
        for key in written.unset:
            self._report.note(f"{key}: CCcam.cfg cannot hold this value; set it by hand")


def _spoken(account: AccountPlan) -> tuple[str, ...]:
    return account.protocols or accounts.PROTOCOLS
