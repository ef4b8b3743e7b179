"""The old info pages and the telnet information: what tools on receivers have always read."""

from cccamd.oldinfo.infoport import InfoListener
from cccamd.oldinfo.oldpages import old_page_routes
from cccamd.oldinfo.oldtables import Look
from cccamd.oldinfo.telnet import TelnetDialogue, telnet_refusal
from cccamd.oldinfo.words import heading, home_block

__all__ = [
    "InfoListener",
    "Look",
    "TelnetDialogue",
    "heading",
    "home_block",
    "old_page_routes",
    "telnet_refusal",
]
