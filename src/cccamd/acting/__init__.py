"""Telling a running server what to do: orders, how they travel, and where to."""

from cccamd.acting.caller import LostServerError, NoServerError, give
from cccamd.acting.orders import (
    LONGEST_DEBUG,
    Answer,
    ChangeLink,
    Debug,
    Kick,
    LinkAct,
    Order,
    OrderError,
    Reload,
    ShowLog,
    Shown,
    Status,
    Unban,
    parse_answer,
    parse_order,
    serialize_answer,
    serialize_order,
)
from cccamd.acting.places import socket_of, sockets_to_try
from cccamd.acting.protocol import OrderTaker, Phase

__all__ = [
    "LONGEST_DEBUG",
    "Answer",
    "ChangeLink",
    "Debug",
    "Kick",
    "LinkAct",
    "LostServerError",
    "NoServerError",
    "Order",
    "OrderError",
    "OrderTaker",
    "Phase",
    "Reload",
    "ShowLog",
    "Shown",
    "Status",
    "Unban",
    "give",
    "parse_answer",
    "parse_order",
    "serialize_answer",
    "serialize_order",
    "socket_of",
    "sockets_to_try",
]
