"""The test picture: made on the spot, and decoded again to see whether it plays.

Needs PyAV (FFmpeg as a library), which `pip install 'cccamd[demo]'` brings.
"""

import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cccamd.errors import CccamdError

if TYPE_CHECKING:
    import av

WIDTH, HEIGHT = 512, 288
PICTURES_PER_SECOND = 25
VIDEO_BIT_RATE = 1_000_000
SAMPLE_RATE = 48_000
AUDIO_BIT_RATE = 128_000
SAMPLES_PER_FRAME = 1152
"""Of MPEG audio layer 2."""


@dataclass(frozen=True, slots=True)
class Frames:
    """How much of a stream can be seen and heard."""

    pictures: int
    sounds: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A clear transport stream with one service."""

    stream: bytes
    frames: Frames


def make_clip(seconds: float) -> Clip:
    """Make a moving test pattern with a running clock, and a tone that beeps every second.

    Raises:
        CccamdError: PyAV is not installed.
    """
    require_av()
    import av

    output = io.BytesIO()
    pictures = sounds = 0
    with av.open(output, "w", format="mpegts") as container:
        video = container.add_stream("mpeg2video", rate=PICTURES_PER_SECOND)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = VIDEO_BIT_RATE
        audio = container.add_stream("mp2", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = AUDIO_BIT_RATE
        for frame in _in_order(_pictures(seconds), _sounds(seconds)):
            if isinstance(frame, av.VideoFrame):
                pictures += 1
                container.mux(video.encode(frame))
            else:
                sounds += 1
                container.mux(audio.encode(frame))
        container.mux(video.encode())
        container.mux(audio.encode())
    return Clip(output.getvalue(), Frames(pictures, sounds))


def count_frames(stream: bytes) -> Frames:
    """Decode a transport stream; damaged frames do not count.

    Raises:
        CccamdError: PyAV is not installed.
    """
    require_av()
    import av

    pictures = sounds = 0
    try:
        with av.open(io.BytesIO(stream), "r", format="mpegts") as container:
            for frame in container.decode(video=0, audio=0):
                pictures += isinstance(frame, av.VideoFrame) and not frame.is_corrupt
                sounds += isinstance(frame, av.AudioFrame) and not frame.is_corrupt
    except (av.FFmpegError, IndexError):
        # No picture or no sound at all, or it broke off: what was found so far counts.
        pass
    return Frames(pictures, sounds)


def require_av() -> None:
    """Make sure of PyAV before any work is done.

    Raises:
        CccamdError: it is not installed.
    """
    try:
        import av  # noqa: F401  (only asking whether it is there)
    except ImportError:
        raise CccamdError("PyAV is missing; install it with: pip install 'cccamd[demo]'") from None


def _pictures(seconds: float) -> "Iterator[av.VideoFrame | av.AudioFrame]":
    source = f"size={WIDTH}x{HEIGHT}:rate={PICTURES_PER_SECOND}:duration={seconds}"
    return _filtered(
        ("testsrc2", source),
        ("format", "pix_fmts=yuv420p"),
        ("buffersink", ""),
    )


def _sounds(seconds: float) -> "Iterator[av.VideoFrame | av.AudioFrame]":
    source = f"frequency=440:beep_factor=2:sample_rate={SAMPLE_RATE}"
    return _filtered(
        ("sine", f"{source}:samples_per_frame={SAMPLES_PER_FRAME}:duration={seconds}"),
        ("aformat", "sample_fmts=s16:channel_layouts=stereo"),
        ("abuffersink", ""),
    )


def _filtered(*filters: tuple[str, str]) -> "Iterator[av.VideoFrame | av.AudioFrame]":
    """What comes out of a chain of FFmpeg filters, given by name and arguments."""
    import av

    graph = av.filter.Graph()
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(*nodes).configure()
    while True:
        try:
            yield graph.pull()
        except EOFError:
            return


def _in_order(
    *sources: "Iterator[av.VideoFrame | av.AudioFrame]",
) -> "Iterator[av.VideoFrame | av.AudioFrame]":
    """The frames of all sources by their time."""
    return heapq.merge(*sources, key=lambda frame: frame.time or 0.0)
