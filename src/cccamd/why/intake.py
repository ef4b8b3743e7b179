"""Why a card that an upstream announces is not taken."""

from cccamd.cards import Rejected, Rejection
from cccamd.facts import SourceStatus
from cccamd.ids import format_caid, format_node_id
from cccamd.why.answer import Finding, Weight
from cccamd.why.evidence import Evidence


def explain_rejection(rejected: Rejected, source: SourceStatus, evidence: Evidence) -> Finding:
    """Say what to change so that it is taken."""
    match rejected.reason:
        case Rejection.LOOP:
            return Finding(
                code="not-taken-loop",
                weight=Weight.NOTE,
                text="it has passed this server already: taking it back would make a loop",
            )
        case Rejection.IGNORED_NODE:
            return _ignored_node(rejected, evidence)
        case Rejection.TOO_FEW_DOWNHOPS:
            return _too_few_downhops(rejected, source, evidence)
        case Rejection.LIMITED:
            return _limited(rejected, source, evidence)
        case _:
            return Finding(code="not-taken", weight=Weight.BAD, text=rejected.text)


def _ignored_node(rejected: Rejected, evidence: Evidence) -> Finding:
    ignored = evidence.config.settings.ignore_nodes
    node_id = next(node for node in rejected.announcement.path if node in ignored)
    setting = evidence.ignore_node(node_id)
    return Finding(
        code="not-taken-ignored-node",
        weight=Weight.BAD,
        text=f"it came by node {format_node_id(node_id)}, which {setting.words} leaves out",
        change="take that line out, if cards that came this way are welcome",
        setting=setting,
    )


def _too_few_downhops(rejected: Rejected, source: SourceStatus, evidence: Evidence) -> Finding:
    setting = evidence.key("MINIMUM DOWNHOPS")
    minimum = evidence.config.settings.minimum_downhops
    reshare = rejected.announcement.reshare
    return Finding(
        code="not-taken-downhops",
        weight=Weight.BAD,
        text=(
            f"{source.name} gives it with reshare {reshare}, and {setting.words} takes cards"
            f" from {minimum} on only"
        ),
        change=f"lower MINIMUM DOWNHOPS to {reshare}",
        setting=setting,
    )


def _limited(rejected: Rejected, source: SourceStatus, evidence: Evidence) -> Finding:
    card, setting = rejected.announcement, evidence.c_line(source.line)
    ident = f"{card.providers[0].ident:06X}" if card.providers else "0"
    return Finding(
        code="not-taken-limited",
        weight=Weight.BAD,
        text=(
            f"it is at hop {card.hop + 1}, and the limits of {setting.words} take it from"
            " nearer by only, or not at all"
        ),
        change=(
            f"put {format_caid(card.caid)}:{ident}:{card.hop + 1} into the braces of line"
            f" {setting.line}"
        ),
        setting=setting,
    )
