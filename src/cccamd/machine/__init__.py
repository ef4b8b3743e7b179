"""What looks at this computer and nothing else: ports, packet filter, addresses, clock, files.

It judges nothing, and knows neither the server nor its configuration: `cccamd.why` does.
"""

from cccamd.machine.addresses import (
    Addresses,
    Knock,
    SocketAddress,
    has_default_route,
    is_cut_off,
    is_near,
    knock,
    look_at_addresses,
    own_address,
    own_addresses,
    route_to,
)
from cccamd.machine.clock import TimeAnswer, ask_time, configured_servers, is_synchronised
from cccamd.machine.files import (
    FileState,
    NodeIdFile,
    WayPart,
    first_barrier,
    is_open_to_all,
    look_at_node_id,
    way_to,
)
from cccamd.machine.firewall import Ruleset, look_at_rules
from cccamd.machine.heap import keep_one_heap
from cccamd.machine.hostname import machine_name
from cccamd.machine.locks import FileLock
from cccamd.machine.packetfilter import Fate, FirstPacket
from cccamd.machine.ports import PortHolder, Process, holder_of, missing_addresses, try_to_bind
from cccamd.machine.processor import HoldTimer
from cccamd.machine.replacing import OWNER_ONLY, replace_file
from cccamd.machine.resources import (
    RESERVED_FILES,
    Clock,
    Resources,
    Supply,
    end_with_parent,
    file_size_limit,
    look_at_supply,
    own_memory,
    raise_file_limit,
    read_resources,
)
from cccamd.machine.users import UNIT_NAME, SystemUser, find_unit_user, group_name, user_numbered
from cccamd.machine.writing import Hindrance, Room, WriteTarget, look_at_target

__all__ = [
    "OWNER_ONLY",
    "RESERVED_FILES",
    "UNIT_NAME",
    "Addresses",
    "Clock",
    "Fate",
    "FileLock",
    "FileState",
    "FirstPacket",
    "Hindrance",
    "HoldTimer",
    "Knock",
    "NodeIdFile",
    "PortHolder",
    "Process",
    "Resources",
    "Room",
    "Ruleset",
    "SocketAddress",
    "Supply",
    "SystemUser",
    "TimeAnswer",
    "WayPart",
    "WriteTarget",
    "ask_time",
    "configured_servers",
    "end_with_parent",
    "file_size_limit",
    "find_unit_user",
    "first_barrier",
    "group_name",
    "has_default_route",
    "holder_of",
    "is_cut_off",
    "is_near",
    "is_open_to_all",
    "is_synchronised",
    "keep_one_heap",
    "knock",
    "look_at_addresses",
    "look_at_node_id",
    "look_at_rules",
    "look_at_supply",
    "look_at_target",
    "machine_name",
    "missing_addresses",
    "own_address",
    "own_addresses",
    "own_memory",
    "raise_file_limit",
    "read_resources",
    "replace_file",
    "route_to",
    "try_to_bind",
    "user_numbered",
    "way_to",
]
