"""A text file before it is read as a table: its encoding, its delimiter, its header, and the damage that shows.

One pass over the bytes, in pieces of a fixed size, so that a file of any length costs the same memory. What would make
another table of the file than its author wrote is refused; what is read in spite of a doubt is noted.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from integration_assets.errors import ContractError
from integration_assets.invisible import visible

PIECE = 1 << 20
"""Bytes read at once."""
LONGEST_LINE = PIECE
"""Bytes. A longer line is no row of a table, but a file without line ends."""
HEAD = 64 * 1024
"""Bytes within which the header ends."""
MOST_COLUMNS = 2_000
DELIMITERS = (",", ";", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the beginning of a file. UTF-32 before UTF-16, whose mark is the beginning of the other one."""
_TWO_BYTES_OF_UTF8 = re.compile(rb"[\xc3-\xc5][\x80-\xbf]|\xe2\x80[\x90-\xbf]")
"""Letters with accents, and quotation marks, as UTF-8 writes them: hardly ever two signs of an older encoding."""
_OTHER_KINDS = (
    (b"PK\x03\x04", "is an Excel workbook or another zip archive, whatever its name says: save the sheet as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of an older Excel, whatever its name says: save the sheet as CSV UTF-8"),
    (b"\x1f\x8b", "is packed by gzip: unpack it"),
    (b"BZh", "is packed by bzip2: unpack it"),
    (b"\x28\xb5\x2f\xfd", "is packed by zstd: unpack it"),
    (b"%PDF-", "is a PDF: export the table itself, as CSV"),
    (b"PAR1", 'is a Parquet file: declare type = "parquet" in its mapping'),
    (b"SQLite format 3\0", "is a database of SQLite: name it in [database], and read it by a SELECT"),
)
"""First bytes of what people name `.csv` although it is none, and what they had better do."""
_MARKUP = re.compile(rb"<(!doctype|html|head|table|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(r"\s*(\{\s*\"|\[\s*[\[{])")
_DELIMITER_LINE = re.compile(r"\"?sep=(?P<sign>.)\"?")
"""Line that Excel writes and reads before the header."""
LINES_BEFORE_A_HEADER = 50
"""Lines within which a header is looked for that is not the first of them."""
_NAMES = {"cp1252": "Windows-1252", "utf-16": "UTF-16", "utf-32": "UTF-32"}
_CODECS = {"windows-1250": "cp1250", "windows-1251": "cp1251", "windows-1252": "cp1252"}


class TextTable(msgspec.Struct, frozen=True):
    """A text file ready to be read: UTF-8 at `path`, its header, and `notes` for people on how it was taken.

    `skipped`: lines before the header that hold nothing, or only say what the delimiter is.
    """

    path: Path
    delimiter: str
    header: tuple[str, ...]
    notes: tuple[str, ...] = ()
    skipped: int = 0


def ready(
    path: Path, scratch: Path, *, named: str, columns: Sequence[str], encoding: str | None, delimiter: str | None
) -> TextTable:
    """Look through a file and make it ready. `columns`, as `plain_name` writes them, must be in its header.

    `scratch` is written when the file is no UTF-8, or has line ends of several kinds.

    Raises:
        ContractError: it cannot be read as the table it was written as; says why and what to do.
    """
    found, notes = _encoding(path, named, encoding)
    text = path
    if found not in ("utf-8", "utf-8-sig"):
        _rewrite(path, scratch, found, named)
        text = scratch
    if _check_shape(text, named):
        _rewrite_lines(text, scratch)
        text = scratch
    head, skipped, said = _without_preamble(_head(text))
    chosen, header = _header(head, named, columns, delimiter or said)
    _check_end(text, named, chosen, len(header))
    return TextTable(text, chosen, header, tuple(notes), skipped)


def columns_of(path: Path, scratch: Path, *, named: str) -> TextTable:
    """A file of which nothing is known yet: the delimiter that gives its header most columns.

    Raises:
        ContractError: it is no table.
    """
    return ready(path, scratch, named=named, columns=(), encoding=None, delimiter=None)


def unmarked(path: Path, scratch: Path, *, named: str) -> Path:
    """A file of JSON as UTF-8 without a mark: itself, or written again to `scratch`.

    Raises:
        ContractError: it is of another kind, or cannot be read as its mark says.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    _check_kind(start, named)
    mark = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if mark is None:
        return path
    _rewrite(path, scratch, mark, named)
    return scratch


# --------------------------------------------------------------------------------------------------------- encoding


def _encoding(path: Path, named: str, declared: str | None) -> tuple[str, list[str]]:
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip():
        raise ContractError(f"{named} is empty: nothing is read from it, and the last ranking stands; export it again")
    _check_kind(start, named)
    mark = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if declared is not None:
        name = _CODECS.get(declared.lower(), declared.lower())
        # A mark says more than a mapping from last year.
        if mark is not None and not name.startswith(mark.removesuffix("-sig")):
            return mark, [f"{named}: read as {_shown(mark)}, which its first bytes say, not {declared} as declared"]
        return mark or name, []
    if mark is not None:
        return mark, [f"{named}: read as {_shown(mark)}"] if mark != "utf-8-sig" else []
    # Every second byte of Latin text in UTF-16 is zero.
    if start.count(0) > len(start) // 4:
        raise ContractError(
            f'{named} looks like UTF-16 without its mark, or is no text: declare encoding = "utf-16-le" in its mapping'
        )
    line = _first_that_is_no_utf8(path)
    if line is None:
        return "utf-8", []
    return "cp1252", _as_windows(path, named, line)


def _check_kind(start: bytes, named: str) -> None:
    """Tell by the first bytes of a file that it is of another kind than text with columns."""
    if kind := next((said for first, said in _OTHER_KINDS if start.startswith(first)), None):
        raise ContractError(f"{named} {kind}")
    if _MARKUP.match(start.removeprefix(codecs.BOM_UTF8).lstrip()):
        raise ContractError(
            f"{named} is a web page or XML, and no table: a login page or an error was saved in its place; export it "
            "again, as CSV"
        )


def _first_that_is_no_utf8(path: Path) -> int | None:
    """Number of the first line that is not UTF-8; None when all are."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                return line + piece[: error.start].count(b"\n")
            line += piece.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _as_windows(path: Path, named: str, line: int) -> list[str]:
    """Notes on reading a file, whose `line` is no UTF-8, as Windows-1252."""
    decoder, mixed = codecs.getincrementaldecoder("cp1252")(), False
    declare = "declare its encoding in the mapping"
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            mixed = mixed or _TWO_BYTES_OF_UTF8.search(piece) is not None
            try:
                decoder.decode(piece)
            except UnicodeDecodeError:
                raise ContractError(
                    f"{named} is neither UTF-8 (line {line:,} is not) nor Windows-1252: {declare}"
                ) from None
    if mixed:
        raise ContractError(
            f"{named} mixes encodings: line {line:,} is not UTF-8, others are; export it again as UTF-8, or {declare}"
        )
    return [f"{named}: read as Windows-1252, as line {line:,} is not UTF-8; {declare} if names look wrong"]


def _shown(encoding: str) -> str:
    return _NAMES.get(encoding, encoding)


def _rewrite(path: Path, target: Path, encoding: str, named: str) -> None:
    """Write a file again as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file, target.open("wb") as out:
        while True:
            piece = file.read(PIECE)
            try:
                out.write(decoder.decode(piece, final=not piece).encode())
            except UnicodeError:
                raise ContractError(
                    f"{named} cannot be read as {_shown(encoding)}: it was cut short, or has another encoding"
                ) from None
            if not piece:
                return


def _rewrite_lines(path: Path, target: Path) -> None:
    """Write a file again with one kind of line end, by way of a new file: `path` may be `target`."""
    fresh = target.with_name(f"{target.name}-lines")
    with path.open("rb") as file, fresh.open("wb") as out:
        held = b""
        while piece := file.read(PIECE):
            # The second half of a line end may be in the next piece.
            whole = held + piece
            held = b"\r" if whole.endswith(b"\r") else b""
            out.write(whole.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        out.write(held and b"\n")
    fresh.replace(target)


# ------------------------------------------------------------------------------------------------------------ shape


def _check_shape(path: Path, named: str) -> bool:
    """Look for what is no text, for a line without an end, and for a quoted cell without one.

    Returns whether the line ends are of several kinds, as where files of two systems were put together.
    """
    line_length, lines, quotes = 0, 1, 0
    ends = [0, 0, 0]
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if (zero := piece.find(b"\0")) >= 0:
                line = lines + piece[:zero].count(b"\n")
                raise ContractError(
                    f"{named} holds a NUL byte in line {line:,}: it is no text, or was damaged; export it again"
                )
            first, last = piece.find(b"\n"), piece.rfind(b"\n")
            line_length += len(piece) if first < 0 else first
            if line_length > LONGEST_LINE:
                raise ContractError(
                    f"{named} has a line of more than {LONGEST_LINE // (1024 * 1024)} MiB (line {lines:,}): it has no "
                    "line ends, or is no table"
                )
            if first >= 0:
                line_length = len(piece) - last - 1
            quotes += piece.count(b'"')
            returns, feeds, both = piece.count(b"\r"), piece.count(b"\n"), piece.count(b"\r\n")
            # One that is cut by the end of a piece counts as two, and costs a rewrite that changes nothing.
            ends = [ends[0] + returns - both, ends[1] + feeds - both, ends[2] + both]
            lines += feeds
    # Every quote of a table has a partner: round a cell, or doubled inside one.
    if quotes % 2:
        raise ContractError(
            f"{named} has a quotation mark without a partner: it was cut short inside a cell, or a quote in a cell is "
            "not doubled; export it again"
        )
    return sum(map(bool, ends)) > 1


def _head(path: Path) -> str:
    with path.open("rb") as file:
        # The last character may be cut.
        return file.read(HEAD).decode("utf-8-sig", "ignore")


def _without_preamble(head: str) -> tuple[str, int, str | None]:
    """The beginning from its header on, how many lines stand before, and the delimiter that one of them says."""
    lines = io.StringIO(head, newline=None).readlines()
    skipped, said = 0, None
    for line in lines:
        found = _DELIMITER_LINE.fullmatch(line.rstrip("\n"))
        if line.strip() and found is None:
            break
        skipped, said = skipped + 1, found["sign"] if found else said
    return "".join(lines[skipped:]), skipped, said


def _header(head: str, named: str, columns: Sequence[str], delimiter: str | None) -> tuple[str, tuple[str, ...]]:
    """The delimiter, and the names it makes of the first line."""
    wanted = set(columns)
    found: list[tuple[int, int, str, tuple[str, ...]]] = []
    for place, candidate in enumerate((delimiter,) if delimiter else DELIMITERS):
        names = _names(head, candidate)
        found.append((len(wanted & set(names)), len(names) * 10 - place, candidate, names))
    # The names that are asked for tell the delimiter: a comma may be in a name, and all of them are in no other split.
    _most, _, chosen, names = max(found)
    if missing := [name for name in columns if name not in names]:
        raise ContractError(
            f"{named} has no column {quoted_names(missing)}; its columns are {quoted_names(names)}"
            f"{_why_missing(head, wanted, delimiter)}"
        )
    if twice := sorted({name for name in names if name in wanted and names.count(name) > 1}):
        raise ContractError(
            f"{named} has two columns called {quoted_names(twice[:1])}: which one is meant cannot be told"
        )
    if len(names) > MOST_COLUMNS:
        raise ContractError(f"{named} has {len(names):,} columns: that is no table")
    return chosen, names


def _why_missing(head: str, wanted: set[str], delimiter: str | None) -> str:
    """Advice on a header without the columns that are asked for, where the beginning of the file tells."""
    if _JSON.match(head):
        return '; it looks like JSON: declare type = "json" in its mapping'
    lines = head.splitlines(keepends=True)
    for number, _ in enumerate(lines[1:LINES_BEFORE_A_HEADER], start=1):
        below = "".join(lines[number:])
        if any(wanted <= set(_names(below, one)) for one in ((delimiter,) if delimiter else DELIMITERS)):
            above = "the line" if number == 1 else f"the {number} lines"
            return f"; the header stands further down: remove {above} above it"
    return ""


def plain_name(name: str) -> str:
    """The name of a column as people see it: any spaces and line breaks are one space, what is unseen is nothing."""
    return " ".join(visible(name).split())


def _names(head: str, delimiter: str) -> tuple[str, ...]:
    try:
        row = next(csv.reader(io.StringIO(head, newline=None), delimiter=delimiter), [])
    # A cell larger than the module takes is no name.
    except csv.Error:
        return ()
    return tuple(map(plain_name, row))


def quoted_names(names: Sequence[str]) -> str:
    """Names of columns for a message: cut, on one line, the first twenty."""
    # Where a header is missing, the first row stands in its place, with whatever people wrote.
    clean = ("".join(sign if sign.isprintable() else " " for sign in name[:40]) for name in names[:20])
    return (", ".join(f'"{name}"' for name in clean) or "none") + (" and more" if len(names) > 20 else "")


def _check_end(path: Path, named: str, delimiter: str, columns: int) -> None:
    """Look whether the last line ends in the middle of a row."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - HEAD))
        tail = file.read()
    last = tail.rpartition(b"\n")[2]
    # A whole last line may come without a line end; one with a quote may be the end of a cell of several lines.
    if not last.strip() or b'"' in last or len(last) == size:
        return
    cells = last.decode("utf-8", "ignore").count(delimiter) + 1
    if cells < columns:
        raise ContractError(
            f"{named} was cut short: its last line ends after {cells} of {columns} columns; export it again"
        )
