"""What `/api` says about times, freezes, reasons and itself, as models."""

from typing import Literal

from pydantic import Field

from cccamd.web.apimodels import (
    ApiModel,
    CaidText,
    ChannelMarginInfo,
    IdentText,
    ServiceInfo,
    SidText,
)


class FreezeInfo(ApiModel):
    """A picture that stood still."""

    at: float
    account: str
    caid: CaidText
    ident: IdentText
    sid: SidText
    seconds: float
    source: str
    cause: str
    around: tuple[str, ...]


class FreezesInfo(ApiModel):
    """Margins of watched channels, and freezes, the newest first."""

    channels: tuple[ChannelMarginInfo, ...]
    freezes: tuple[FreezeInfo, ...]


class PointInfo(ApiModel):
    """The answers of a few seconds; times are 0 when nothing was answered."""

    at: float
    answered: int
    refused: int
    median: float
    percentile95: float
    longest: float


class SourceSeries(ApiModel):
    """The answer times of one source."""

    source: str
    points: tuple[PointInfo, ...]


class ChannelSeries(ApiModel):
    """The answer times of one channel, as its viewers saw them."""

    service: ServiceInfo
    points: tuple[PointInfo, ...]


class HistoryInfo(ApiModel):
    """Answer times; intervals in which nothing happened are left out."""

    span: Literal["minutes", "day"]
    step: int = Field(description="seconds that one point stands for")
    sources: tuple[SourceSeries, ...]
    channels: tuple[ChannelSeries, ...]


class Health(ApiModel):
    """The server runs: it has answered."""

    status: Literal["ok"] = "ok"
    program: str


class Readiness(ApiModel):
    """Whether ECMs can be answered."""

    ready: bool
    why: str = Field(description="what is missing; empty when nothing is")


class Problem(ApiModel):
    """What is wrong with a request."""

    error: str
