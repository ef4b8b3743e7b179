"""`cccamd demo`: a scrambled broadcast, a server with a card, and a viewer, on one machine.

Read `scrambler` and `receiver` first: they are the two ends. `broadcast` lets the stream run
between them, `run` puts a real server and a real client in the middle. See docs/demo.md.
"""

from cccamd.lab.demo.run import Options, run

__all__ = ["Options", "run"]
