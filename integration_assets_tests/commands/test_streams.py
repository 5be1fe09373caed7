"""Printing never fails: what cannot be shown is spelled otherwise, what cannot be written is dropped."""

import subprocess
import sys

import pytest

PRINTS = """
import sys
from integration_assets.commands.streams import settle_streams, stdout_problem
settle_streams()
print("Größe → 你好 … ·")
sys.stderr.write("→\\n")
for _ in range(20_000):
    print("more")
sys.stdin.read()
sys.exit(4 if stdout_problem() else 3)
"""


def shell(line: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {"RUN": sys.executable, "PROGRAM": PRINTS, "PYTHONPATH": ":".join(sys.path), **variables}
    command = ["/bin/bash", "-c", line + "; exit ${PIPESTATUS[0]}"]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("encoding", "first"),
    [
        ("ascii", b"Gr??e -> ?? ... -"),
        ("cp1252", "Größe -> ?? … ·".encode("cp1252")),
        ("latin-1:strict", "Größe -> ?? ... ·".encode("latin-1")),
        ("utf-8", "Größe → 你好 … ·".encode()),
    ],
)
def test_what_an_encoding_lacks_is_spelled_otherwise(encoding, first):
    """Our own signs are readable in any encoding; other letters become a question mark."""
    ran = shell('"$RUN" -c "$PROGRAM"', PYTHONIOENCODING=encoding)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (3, first)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('"$RUN" -c "$PROGRAM" | head -1', 4, 0),
        ('"$RUN" -c "$PROGRAM" >&-', 3, 0),
        ('"$RUN" -c "$PROGRAM" >&- 2>&- <&-', 3, 0),
        ('"$RUN" -c "$PROGRAM" >/dev/full', 4, 1),
        ('"$RUN" -c "$PROGRAM" >/dev/full 2>/dev/full', 4, 0),
    ],
)
def test_nowhere_to_print_stops_nothing(line, code, said):
    """The process ends as it would have; a full disk is said on stderr, a reader that has left is not."""
    ran = shell(line, PYTHONIOENCODING="utf-8")
    assert ran.returncode == code, ran.stderr
    assert ran.stderr.count(b"the output could not be written: No space left on device") == said
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


def test_a_closed_output_is_not_the_next_file_that_is_opened():
    """Else a database would get the number of stdout, and all that children print."""
    program = """
import sys, tempfile
from integration_assets.commands.streams import settle_streams
settle_streams()
sys.exit(open(tempfile.mkstemp()[1]).fileno())
"""
    assert shell('"$RUN" -c "$PROGRAM" >&- 2>&- <&-', PROGRAM=program).returncode >= 3
