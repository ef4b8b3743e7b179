"""Protocols, without sockets, clocks or chance."""
