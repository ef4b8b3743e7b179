"""The server as a service of this machine: what installing it takes, step by step.

`plan` decides by looking at a root folder, `steps` are the things that are done and told,
`carrying` does them. Nothing here knows what is in a configuration.
"""

from cccamd.service.carrying import carry_out
from cccamd.service.plan import (
    Flavour,
    Machine,
    find_flavour,
    installed_config,
    plan_install,
    plan_uninstall,
)
from cccamd.service.steps import ServiceError, Step, as_json

__all__ = [
    "Flavour",
    "Machine",
    "ServiceError",
    "Step",
    "as_json",
    "carry_out",
    "find_flavour",
    "installed_config",
    "plan_install",
    "plan_uninstall",
]
