"""Read damaged tables, many times: cut, of mixed encodings, wrongly delimited, with NUL bytes, without line ends."""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from integration_assets.connectors.feedback.table.connector import TableFeedback
from integration_assets.errors import IntegrationError
from integration_assets.models import FeatureRequest, Vote, Voter
from integration_assets.staging.loading import Loader, replacing
from integration_assets.staging.migrations import migrate
from integration_assets_tests.proofs.registry import Row, Scale, proof

SHOWN = 5
ROWS = 60
KINDS = ("csv", "csv", "csv", "tsv", "json", "parquet")
"""Text three times as often: it is what people send each other."""
MAPPING = """
[requests]
file = "requests.{kind}"
columns = {{id = "Idea", title = "Title", status = "State", created_at = "Created", merged_into = "Into", url = "Link"}}

[votes]
file = "votes.{kind}"
columns = {{request_id = "Idea", voter_email = "E-mail", created_at = "Voted on"}}
"""
LOADED_SHARE = 0.2
"""Share of the tables read that go on into the staging store."""
Damage = Callable[[random.Random, bytes], bytes]


def cut(draw: random.Random, raw: bytes) -> bytes:
    """End anywhere."""
    return raw[: draw.randrange(len(raw) + 1)]


def headless(draw: random.Random, raw: bytes) -> bytes:
    """Begin anywhere."""
    return raw[draw.randrange(len(raw)) :]


def flipped(draw: random.Random, raw: bytes) -> bytes:
    """Some bytes are others."""
    damaged = bytearray(raw)
    for _ in range(draw.randint(1, 12)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged)


def inserted(draw: random.Random, raw: bytes) -> bytes:
    """Something stands where nothing of the kind belongs."""
    pieces = (
        b"\0", b"\0\0\0\0", b'"', b'""', b"\r", b"\n", b"\r\n\r\n", b",", b",,,,,,", b";", b"\t", b"|", b"\xff\xfe",
        b"\xef\xbb\xbf", b"\xfc", b"\xc3\xbc", b"\x81",
        b"\xed\xa0\x80", b"=HYPERLINK(A1)", b"=1+1", b"@SUM(1)", b"{", b"]",
        b"\x1a", b"\x1b[31m", b"\xe2\x80\xae", b"'", b"\\", b"NULL", b"nan", b"1e999", b"9" * 400, b"-", b"x" * 70_000,
    )  # fmt: skip
    damaged = raw
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(damaged) + 1)
        damaged = damaged[:place] + draw.choice(pieces) + damaged[place:]
    return damaged


def delimited(draw: random.Random, raw: bytes) -> bytes:
    """Another delimiter, in all lines or some."""
    lines = raw.split(b"\n")
    share, other = draw.choice((0.1, 0.5, 1.0)), draw.choice((b";", b"\t", b"|", b":", b"  "))
    return b"\n".join(line.replace(b",", other) if draw.random() < share else line for line in lines)


def recoded(draw: random.Random, raw: bytes) -> bytes:
    """Another encoding, in all lines or some."""
    encoding = draw.choice(("cp1252", "utf-16", "utf-16-le", "utf-32", "shift_jis", "utf-7", "utf-8-sig"))
    lines = raw.decode("utf-8", "replace").split("\n")
    if draw.random() < 0.5:
        return "\n".join(lines).encode(encoding, "replace")
    return b"\n".join(line.encode(encoding if draw.random() < 0.3 else "utf-8", "replace") for line in lines)


def unbroken(draw: random.Random, raw: bytes) -> bytes:
    """No line ends, or those of another system."""
    return raw.replace(b"\n", draw.choice((b"", b"\r", b" ", b"\x0b", b"\xe2\x80\xa8")))


def one_line(draw: random.Random, raw: bytes) -> bytes:
    """A line that does not end."""
    return raw + draw.choice((b"x", b",", b"ab ")) * (3 << 20)


def shuffled(draw: random.Random, raw: bytes) -> bytes:
    """Lines are missing, come twice, or in another order, the header among them."""
    lines = raw.split(b"\n")
    picked = [draw.choice(lines) for _ in range(len(lines))]
    return b"\n".join(lines[: draw.randint(0, 2)] + picked)


def spliced(draw: random.Random, raw: bytes) -> bytes:
    """Two halves that do not belong together."""
    return raw[: draw.randrange(len(raw))] + raw[draw.randrange(len(raw)) :]


def empty(draw: random.Random, raw: bytes) -> bytes:
    """Nothing, or nothing but white space."""
    return draw.choice((b"", b"\n", b" \r\n\t", b"\xef\xbb\xbf", raw.split(b"\n")[0], raw.split(b"\n")[0] + b"\n"))


DAMAGES: tuple[Damage, ...] = (
    cut, headless, flipped, inserted, inserted, delimited, recoded, unbroken, one_line, shuffled, spliced, empty,
)  # fmt: skip


@dataclass
class Report:
    """How many tables ended how, and those that ended in a way that is not one of ours."""

    endings: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0


def fuzz(files: int, seed: int) -> Report:
    """Damage so many tables. The same arguments damage them the same way."""
    report = Report()
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
            migrate(connection)
            good = _good(Path(folder))
            with replacing(connection, ["raw.feature_requests", "raw.votes", "raw.voters"]) as load:
                for number in range(files):
                    _one(
                        Path(folder),
                        good,
                        random.Random(f"{seed}/{number}"),
                        f"seed {seed}, file {number}",
                        load,
                        report,
                    )
    finally:
        logging.disable(logging.NOTSET)
    return report


def _one(folder: Path, good: dict[str, bytes], draw: random.Random, where: str, load: Loader, report: Report) -> None:
    kind, damage, damaged = draw.choice(KINDS), draw.choice(DAMAGES), draw.choice(("votes", "requests"))
    for name in ("votes", "requests"):
        raw = good[f"{name}.{kind}"]
        (folder / f"{name}.{kind}").write_bytes(damage(draw, raw) if name == damaged else raw)
    mapping = folder / f"{kind}.toml"
    mapping.write_text(MAPPING.format(kind=kind), encoding="utf-8")
    where = f"{where}: {damaged}.{kind}, {damage.__name__}"
    began = time.process_time()
    try:
        records, rejected = asyncio.run(_read(mapping, load if draw.random() < LOADED_SHARE else None))
    except IntegrationError as error:
        report.endings[type(error).__name__] += 1
        if len(error.message.splitlines()) != 1 or len(error.message) > 2_000:
            report.wrong.append(f"{where}: not one clear line: {error.message[:300]}")
    except Exception as error:  # noqa: BLE001 - any other exception is what is looked for
        report.endings["unhandled"] += 1
        report.wrong.append(f"{where}: {type(error).__name__}: {error}"[:400])
    else:
        report.endings["rejected" if rejected else "records"] += 1
        if not records and not rejected:
            report.wrong.append(f"{where}: nothing was read, and nothing was said")
    report.slowest = max(report.slowest, time.process_time() - began)


async def _read(mapping: Path, load: Loader | None) -> tuple[int, int]:
    """Read all of a table; how many records it has, and how many rows that are none."""
    records = rejected = 0
    async with TableFeedback(mapping=mapping) as table:
        reads = (
            ("raw.feature_requests", FeatureRequest, table.feature_requests(statuses=())),
            ("raw.votes", Vote, table.votes()),
            ("raw.voters", Voter, table.voters()),
        )
        for name, kind, pages in reads:
            async for page in pages:
                assert all(isinstance(record, kind) for record in page.records)
                records += len(page.records) if kind is not Voter else 0
                rejected += len(page.rejected)
                if load is not None:
                    load.append(name, page.records)
        async for boards in table.boards():
            assert boards.records == ()
        await table.newest_feature_requests()
        await table.feature_request("1")
    return records, rejected


def _good(folder: Path) -> dict[str, bytes]:
    """The same tables in every format, by the name of their files."""
    requests = ["Idea,Title,State,Created,Into,Link"]
    requests += [
        f'{number},"Größe ""{number}"", neu",{("open", "Planned", "Später")[number % 3]},2026-01-{number % 28 + 1:02},'
        f"{number - 1 if number % 9 == 8 else ''},https://a.example/{number}"
        for number in range(ROWS)
    ]
    votes = ["Idea,E-mail,Voted on"]
    votes += [
        f"{number % ROWS},p{number % 37}@müller{number % 5}.example,2026-02-01T10:{number % 60:02}:00Z"
        for number in range(200)
    ]
    found: dict[str, bytes] = {}
    for name, lines in (("requests", requests), ("votes", votes)):
        csv = folder / f"{name}.good"
        csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found[f"{name}.csv"] = csv.read_bytes()
        with duckdb.connect() as connection:
            read = "SELECT * FROM read_csv(?, all_varchar = true, header = true, delim = ',')"
            for kind, options in (
                ("json", "FORMAT json"),
                ("parquet", "FORMAT parquet"),
                ("tsv", "DELIMITER '\t', HEADER"),
            ):
                connection.execute(f"COPY ({read}) TO '{folder / name}.{kind}' ({options})", [str(csv)])
                found[f"{name}.{kind}"] = (folder / f"{name}.{kind}").read_bytes()
    return found


def _without_line_ends(size: int) -> Row:
    """A file of one line, of the size that a day of logging makes of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        good = _good(path)
        (path / "requests.csv").write_bytes(good["requests.csv"])
        piece = b"x" * (1 << 20)
        with (path / "votes.csv").open("wb") as file:
            file.writelines(piece for _ in range(size >> 20))
        (path / "csv.toml").write_text(MAPPING.format(kind="csv"), encoding="utf-8")
        began = time.process_time()
        try:
            asyncio.run(_read(path / "csv.toml", None))
            told = "it was read"
        except IntegrationError as error:
            told = error.message
        spent = time.process_time() - began
    return Row(f"{size >> 20:,} MiB of one line", f"{told} ({spent:.1f} s)", "one clear line", "a line of more" in told)


@proof(
    "tables",
    "fuzzing",
    "A damaged table ends in a ranking's records or in one clear line.",
    whole=2_000,
    small=200,
    unit="damaged tables",
)
def measure(scale: Scale) -> Iterator[Row]:
    """One figure, and the longest line of all where there is time for it."""
    report = fuzz(scale.count, scale.seed)
    used = report.endings["records"] + report.endings["rejected"]
    wrong = f"; {'; '.join(report.wrong[:SHOWN])}" if report.wrong else ""
    yield Row(
        "fuzzed tables: unhandled, or nothing said",
        f"{len(report.wrong)} of {report.endings.total():,} ({used:,} used, the rest refused by name; the slowest took "
        f"{report.slowest:.1f} s of processor time){wrong}",
        "0",
        not report.wrong and report.endings.total() == scale.count,
    )
    yield _without_line_ends((1 << 30) if scale.count >= 2_000 else (1 << 25))
