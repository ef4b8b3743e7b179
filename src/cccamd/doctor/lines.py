"""What a C-line asks for: where to log in, and what to take."""

from cccamd.cards import SourcePolicy
from cccamd.config import CLine
from cccamd.doctor.installation import Installation
from cccamd.net import Target
from cccamd.toml import TomlConfig


def target_of(line: CLine, toml: TomlConfig) -> Target:
    """Where and how the server would log in for a C-line."""
    same = (line.host.lower(), line.port, line.user)
    extras = (one for one in toml.upstreams if (one.host.lower(), one.port, one.user) == same)
    extra = next(extras, None)
    return Target(
        host=line.host,
        port=line.port,
        user=line.user_bytes(),
        password=line.password_bytes(),
        version=(extra.cccversion if extra else None) or toml.server.cccversion,
        want_emus=line.wantemus,
    )


def policy_of(line: CLine, installation: Installation) -> SourcePolicy:
    """What the server would take of a C-line's cards."""
    settings = installation.config.settings
    return SourcePolicy(
        limits=line.limits,
        minimum_downhops=settings.minimum_downhops,
        ignore_nodes=frozenset(settings.ignore_nodes),
        line=line.line,
        cards_limit=installation.settings.limits.upstream_cards_limit,
    )
