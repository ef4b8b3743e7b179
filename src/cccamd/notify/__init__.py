"""Tells the operator of incidents without being asked: by mail, push service, chat.

`Outbox` decides what is told and when, without a clock; `Notifier` has the clock, and the library
(apprise) that speaks to the services.
"""

from cccamd.notify.notifier import Notifier
from cccamd.notify.outbox import Message, Outbox, Rules
from cccamd.notify.services import ServiceError, open_service

__all__ = ["Message", "Notifier", "Outbox", "Rules", "ServiceError", "open_service"]
