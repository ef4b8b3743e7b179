"""What the operating system says, in words for people."""

import errno
import socket

import pytest

from cccamd.net import Step, explain_connect_error

CASES = [
    (socket.gaierror(socket.EAI_NONAME, "x"), Step.RESOLVE),
    (TimeoutError(), Step.CONNECT_TIMEOUT),
    (OSError(errno.ETIMEDOUT, "x"), Step.CONNECT_TIMEOUT),
    (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Step.REFUSED),
    (OSError(errno.EHOSTUNREACH, "x"), Step.ROUTE),
    (OSError(errno.ENETUNREACH, "x"), Step.ROUTE),
    (OSError(errno.EIO, "x"), Step.CONNECT),
]


@pytest.mark.parametrize(("error", "step"), CASES)
def test_each_failure_has_its_step(error: OSError, step: Step) -> None:
    explained = explain_connect_error(error, host="box.example", port=12000)
    assert explained.step is step
    assert str(explained).startswith(step.value + ": ")
