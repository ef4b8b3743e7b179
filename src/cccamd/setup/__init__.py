"""What the server is told: CCcam.cfg, cccamd.toml, accounts, its node id.

No facade: `cards` reads `cccamcfg`, and `startup` reads with the help of what stands on `cards`.
"""
