"""What the files say, in the terms of each part that goes by it."""

import resource
from dataclasses import replace

from cccamd.machine import RESERVED_FILES
from cccamd.net import AdmissionLimits, FairLimits, PenaltyRules, Rates
from cccamd.routing import Priorities, RouterSettings
from cccamd.setup.cccamcfg import Config
from cccamd.setup.setup import Setup
from cccamd.setup.toml import TomlConfig
from cccamd.wire.cccam import Version


def priorities(setup: Setup) -> Priorities:
    """CCcam.prio; a long one takes a while to be indexed."""
    prio = setup.companions.prio
    return Priorities.of(prio.ignored, prio.orders)


def router_settings(toml: TomlConfig) -> RouterSettings:
    """`[limits]`, `[cache]` and `[routing]`."""
    settings = RouterSettings(
        deadline=toml.limits.ecm_deadline,
        check_checksums=toml.cache.check_cw_checksums,
    )
    return settings if toml.routing.hedge else replace(settings, hedge_share=0.0)


def minimum_version(config: Config) -> Version | None:
    """MINIMUM CLIENT VERSION."""
    minimum = config.settings.minimum_client_version
    return None if minimum is None else Version(*minimum)


def penalty_rules(toml: TomlConfig) -> PenaltyRules:
    """`[penalties]`."""
    return PenaltyRules(attempts=toml.penalties.attempts, ban=toml.penalties.ban)


def fair_limits(toml: TomlConfig) -> FairLimits:
    """What clients and accounts may ask in a second."""
    limits = toml.limits
    return FairLimits(
        client=Rates(
            limits.client_messages_per_second,
            limits.client_ecms_per_second,
            limits.client_kilobytes_per_second * 1000,
        ),
        account=Rates(
            limits.account_messages_per_second,
            limits.account_ecms_per_second,
            limits.account_kilobytes_per_second * 1000,
        ),
        unread=limits.max_unread_kilobytes * 1000,
        unread_timeout=limits.unread_timeout,
    )


def admission_limits(toml: TomlConfig) -> AdmissionLimits:
    """Never take in more connections than there are file descriptors; of few a quarter."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    files = max(allowed - RESERVED_FILES, allowed // 4)
    pending = max(1, min(toml.limits.max_pending_logins, files // 2))
    return AdmissionLimits(
        connections=max(1, min(toml.limits.max_clients, files - pending)),
        pending_logins=pending,
        per_address=toml.limits.max_connections_per_address,
        pending_per_source=toml.limits.max_pending_per_address,
        pending_per_network=toml.limits.max_pending_per_network,
    )
