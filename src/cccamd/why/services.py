"""Why a card that an account sees cannot serve what was asked about."""

from cccamd.cards import Exclusion, Reason, Verdict
from cccamd.ids import format_caid, format_ident, format_service, format_sid
from cccamd.setup.cccamcfg import FLine, Service
from cccamd.why.answer import Finding, Setting, Weight
from cccamd.why.evidence import Evidence, Question


def explain_exclusion(
    exclusion: Exclusion, verdict: Verdict, question: Question, evidence: Evidence
) -> Finding:
    """Say it for an exclusion of the card table."""
    account = verdict.viewer.account
    text, change, setting = exclusion.text, "", None
    match exclusion.reason:
        case Reason.SERVICE_DENIED:
            setting = evidence.f_line(account)
            text = _denied(account, question, setting)
            change = f"take that entry out of the second braces of line {setting.line}"
        case Reason.IDENT_LIMITED:
            setting = evidence.f_line(account)
            if not account.limits:
                setting = evidence.key("GLOBAL LIMITS")
            ident = format_ident(question.ident or 0)
            text = f"the limits of {setting.words} keep its provider {ident} from {account.user}"
            change = f"give {_pair(exclusion, ident)} the number 1 or more there"
        case Reason.IDENT_MISSING:
            has = ", ".join(format_ident(each.ident) for each in exclusion.card.providers)
            text = f"{exclusion.text}; it has {has}"
        case Reason.SERVICE_NOT_ASSIGNED if exclusion.card.local:
            setting = evidence.toml_table(f'[[card]] name "{evidence.source_name(exclusion.card)}"')
            text = f"{exclusion.text}: {setting.words} lists the services that it serves"
            change = f"add {format_sid(question.sid or 0)} to its sids"
        case Reason.SERVICE_NOT_ASSIGNED | Reason.SERVICE_REJECTED:
            text = f"{exclusion.text}, says {evidence.source_name(exclusion.card)}"
            change = "only its owner can change that"
    return Finding(
        code=exclusion.reason.name.lower().replace("_", "-"),
        weight=Weight.BAD,
        text=text,
        change=change,
        setting=setting,
    )


def _pair(exclusion: Exclusion, ident: str) -> str:
    return f"{format_caid(exclusion.card.caid)}:{ident}"


def _denied(account: FLine, question: Question, setting: Setting) -> str:
    entry = next((each for each in account.sids if _matches(each, question)), None)
    shown = f" {{ {format_service(*_parts(entry))} }}" if entry else ""
    return f"the second braces{shown} of {setting.words} keep this service from {account.user}"


def _matches(service: Service, question: Question) -> bool:
    return (
        service.caid in (0, question.caid)
        and (not question.ident or service.ident in (0, question.ident))
        and (not question.sid or service.sid == question.sid)
    )


def _parts(service: Service) -> tuple[int, int, int]:
    return service.caid, service.ident, service.sid
