"""A server, client and workbench for the CCcam protocol."""

__version__ = "0.1.0"
