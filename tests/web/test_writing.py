"""Long lists are written in pieces, and come out as if they had been written at once."""

from pydantic import TypeAdapter

from cccamd.web.api import Clients
from cccamd.web.writing import PIECE, written
from fact_factory import a_client


def test_pieces_are_the_same_as_the_whole() -> None:
    for number in (0, 1, PIECE, PIECE + 1, 3 * PIECE):
        clients = Clients(tuple(a_client(account=f"user{each}") for each in range(number)))
        pieces = list(written(Clients, clients))
        assert b"".join(pieces) == TypeAdapter(Clients).dump_json(clients)
        assert all(piece.count(b'"account"') <= PIECE for piece in pieces)
