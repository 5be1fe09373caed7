"""Output of the command line, to whatever it is given: a terminal, a closed pipe, a full disk, or nothing at all.

Printing must never change how a run ended, nor stop one in the middle of a write. So what cannot be shown is spelled
otherwise or dropped, and no stream ever raises.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import TextIO

_SPELLINGS = str.maketrans(
    {
        "→": "->",
        "←": "<-",
        "↑": "^",
        "↓": "v",
        "…": "...",
        "·": "-",
        "•": "*",
        "–": "-",  # noqa: RUF001 - the dash itself
        "—": "-",
        "×": "x",  # noqa: RUF001 - the sign itself
        "“": '"',
        "”": '"',
        "‘": "'",  # noqa: RUF001 - the quotes themselves
        "’": "'",  # noqa: RUF001
        "\N{NO-BREAK SPACE}": " ",
    }
)
"""Substitutes for our own signs where the encoding of a stream lacks them; any other character becomes `?`."""
_ERRORS = "integration_assets.spelled"


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # Our own signs first: an arrow becomes `->`, where a question mark would change the meaning of a line.
    text = error.object[error.start : error.end].translate(_SPELLINGS)
    return "".join(character if character.isascii() else "?" for character in text), error.end


class _Output(io.RawIOBase):
    """A file descriptor whose writes never fail: after the first that does, what is printed is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.problem: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        block = bytes(data)  # type: ignore[call-overload]  # a buffer, as RawIOBase promises
        while self.problem is None:
            try:
                return os.write(self._descriptor, block)
            except BlockingIOError:  # a pipe that somebody else has made non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                # Kept, not raised: a full disk behind a redirect must not end a run between a write and its record.
                self.problem = error
                # A reader that has left (`| head`) has seen enough; anything else is said where it still can be.
                if error.errno != errno.EPIPE and self._descriptor == 1:
                    with suppress(OSError):
                        os.write(2, f"integration-assets: the output could not be written: {error.strerror}\n".encode())
        return len(block)


def settle_streams() -> None:
    """Make stdin, stdout and stderr such that nothing printed can fail. Called once, before anything else is opened.

    Streams that somebody has replaced (a test, a host program) stay as they are.
    """
    codecs.register_error(_ERRORS, _spelled)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file opened would get this number, a database for example, and take what children print.
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    # Otherwise a test or a host program has put its own there and wants to read it.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _settled(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _settled(sys.stderr, 2)


def stdout_problem() -> str | None:
    """Say why what was printed on stdout did not arrive, else None."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.problem.strerror if isinstance(raw, _Output) and raw.problem else None


def _settled(stream: TextIO | None, descriptor: int) -> TextIO:
    raw = _Output(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if stream is None else stream.encoding,
        errors=_ERRORS,
        # Errors line by line, so that they stand in order with what a child process writes.
        line_buffering=raw.isatty() or descriptor == 2,
    )
