"""What the server is told: files -> one `Setup` (docs/design/setup.md).

No facade, so that whoever wants CCcam.cfg alone does not wait for the rest.
"""
