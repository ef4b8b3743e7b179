"""Seeds, node ids and user names."""

from hypothesis import given
from hypothesis import strategies as st

from cccamd.wire.cccam import is_original_seed, is_partner_seed, make_node_id, offers_partner
from cccamd.wire.cccam.handshake import derive_keys, make_seed, pack_user, unpack_user


@given(st.binary(min_size=12, max_size=12))
def test_seeds_look_original_and_never_like_oscam(random: bytes) -> None:
    seed = make_seed(random)
    assert is_original_seed(seed)
    assert not is_partner_seed(seed)


def test_a_seed_that_would_look_like_oscam_is_changed() -> None:
    """255 * 20 = 0x1234 + 2 * 220: its bytes 14 and 15 would be OSCam's mark."""
    random = bytes(9) + bytes([220, 20, 7])
    marked = random + bytes([0, 220, 20, 7])
    assert is_partner_seed(marked)
    assert not is_partner_seed(make_seed(random))
    assert is_original_seed(make_seed(random))


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_both_sides_make_the_same_keys(seed: bytes, text: bytes) -> None:
    ours, theirs = derive_keys(seed), derive_keys(seed)
    assert ours.proof == theirs.proof
    assert theirs.server_to_client.decrypt(ours.server_to_client.encrypt(text)) == text
    assert theirs.client_to_server.decrypt(ours.client_to_server.encrypt(text)) == text


@given(st.binary(min_size=4, max_size=4))
def test_our_node_id_has_the_shape_of_a_partner(random: bytes) -> None:
    node_id = make_node_id(random)
    assert node_id[:5] == bytes([random[0] & 0x7F]) + random[1:] + b"C"
    assert offers_partner(node_id)


def test_known_node_ids() -> None:
    assert offers_partner(bytes.fromhex("753d3a4c10841400"))  # type: ignore[arg-type]
    assert not offers_partner(bytes.fromhex("3638d159507c1598"))  # type: ignore[arg-type]


@given(st.binary(max_size=20).filter(lambda name: b"\0" not in name))
def test_user_names_survive(name: bytes) -> None:
    assert unpack_user(pack_user(name)) == name
    assert len(pack_user(name)) == 20
