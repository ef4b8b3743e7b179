"""OSCam's folders: from one to CCcam.cfg and cccamd.toml (docs/moving-from-oscam.md)."""

from cccamd.setup.oscam.exporting import export_folder
from cccamd.setup.oscam.importing import FILES, MAIN_FILES, Imported, import_folder
from cccamd.setup.oscam.render import Written
from cccamd.setup.oscam.report import Lost

__all__ = ["FILES", "MAIN_FILES", "Imported", "Lost", "Written", "export_folder", "import_folder"]
