"""OSCam's status API, read only: what phone apps and plug-ins for OSCam read, about this server."""

from cccamd.oldinfo.oscam.look import ApiLook
from cccamd.oldinfo.oscam.routes import oscam_routes

__all__ = ["ApiLook", "oscam_routes"]
