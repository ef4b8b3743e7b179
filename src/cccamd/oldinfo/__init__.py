"""The old info pages and the telnet information: what tools on receivers have always read."""

from cccamd.oldinfo.infoport import InfoListener
from cccamd.oldinfo.oldpages import old_page_routes
from cccamd.oldinfo.oldtables import Look
from cccamd.oldinfo.telnet import TelnetDialogue, telnet_refusal

__all__ = ["InfoListener", "Look", "TelnetDialogue", "old_page_routes", "telnet_refusal"]
