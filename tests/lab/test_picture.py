"""The test picture: made, and played."""

import builtins
from typing import Any

import pytest

from cccamd.errors import CccamdError
from cccamd.lab.demo.picture import Clip, Frames, count_frames, make_clip
from cccamd.lab.ts import PacketReader, Pat, Pmt, SectionReader

pytest.importorskip("av", reason="the demonstration's extra is not installed")


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(2.0)


def test_it_has_one_service_with_picture_and_sound(clip: Clip) -> None:
    pat_reader, pmt_reader = SectionReader(), SectionReader()
    packets = PacketReader().feed(clip.stream)
    (pat,) = {s for p in packets if p.pid == 0 for s in pat_reader.feed(p)}
    (program,) = Pat.parse(pat).programs
    (pmt,) = {s for p in packets if p.pid == program.pmt_pid for s in pmt_reader.feed(p)}
    assert [stream.stream_type for stream in Pmt.parse(pmt).streams] == [0x02, 0x03]
    assert len(clip.stream) == len(packets) * 188


def test_every_frame_plays(clip: Clip) -> None:
    assert clip.frames == Frames(pictures=50, sounds=84)
    assert count_frames(clip.stream) == clip.frames


def test_damaged_pictures_do_not_count(clip: Clip) -> None:
    hole = bytearray(clip.stream)
    middle = len(hole) // 376 * 188
    del hole[middle : middle + 50 * 188]
    played = count_frames(bytes(hole))
    assert 0 < played.pictures < 50
    assert 0 < played.sounds < 84


@pytest.mark.parametrize("stream", [b"", bytes(100_000)])
def test_nothing_plays_in_no_stream(stream: bytes) -> None:
    assert count_frames(stream) == Frames(0, 0)


def test_without_pyav_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_av(name: str, *rest: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_av)
    with pytest.raises(CccamdError, match=r"pip install 'cccamd\[demo\]'"):
        make_clip(1.0)
