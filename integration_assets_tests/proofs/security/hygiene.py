"""What six tools find in this repository, and what they are told not to say.

Suppressions are counted in the product, one for each place: a comment in a line, or an entry of a tool's settings. A
reason is what stands behind the comment's own words. Tests and benchmarks are counted apart.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from integration_assets_tests.proofs.registry import Row, Scale, proof

ROOT = Path(__file__).parents[3]
PRODUCT = "integration_assets"
LOCKS = ("requirements-dev.lock", "deploy/requirements.lock")
"""Both have everything that `requirements.lock` has."""
BASELINE = ".secrets.baseline"
LIMIT_SECONDS = 600
MOST_SUPPRESSIONS = 5

_SILENCED: dict[str, str] = {
    "ruff S": r"# noqa: [A-Z0-9, ]*\bS\d{3}\b",
    "bandit": r"# nosec\b",
    "mypy": r"# type: ignore\b",
    "detect-secrets": r"# pragma: allowlist",
    "zizmor": r"# zizmor: ignore",
}
"""How a comment silences each tool."""
_OWN_WORDS = re.compile(
    r"#\s*(?:noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|nosec(?: B\d+,?)*|type: ignore\[[\w, -]+\]|pragma: allowlist \w+)"
)
_LETTERS = re.compile(r"[A-Za-z]{3}")


class Found(NamedTuple):
    """What a tool said: the number of its findings, or None and why there is none."""

    findings: int | None
    words: str = ""


class Suppression(NamedTuple):
    """A place where tools are told to say nothing."""

    where: str
    tools: frozenset[str]
    reasoned: bool


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)


def _json(ran: subprocess.CompletedProcess[str]) -> Any:
    """What a tool wrote.

    Raises:
        RuntimeError: it wrote no JSON: it did not do its work.
    """
    try:
        return json.loads(ran.stdout)
    except ValueError:
        raise RuntimeError(f"{ran.args[0]} ended with {ran.returncode}: {ran.stderr[-500:]}") from None


def zizmor() -> Found:
    """Workflows, at its strictest, whatever they say about themselves."""
    ran = _run(
        "zizmor", "--offline", "--no-config", "--no-ignores", "--strict-collection", "--no-exit-codes",
        "--persona", "auditor", "--format", "json", ".github",
    )  # fmt: skip
    return Found(len(_json(ran)))


def ruff() -> Found:
    """The security rules, as the project sets them."""
    return Found(len(_json(_run("ruff", "check", "--select", "S", "--output-format", "json", "."))))


def bandit() -> Found:
    """The product."""
    report = _json(_run("bandit", "-q", "-c", "pyproject.toml", "-r", PRODUCT, "-f", "json"))
    if report["errors"]:
        raise RuntimeError(f"bandit could not read {report['errors']}")
    return Found(len(report["results"]))


def mypy() -> Found:
    """Product, tests and benchmarks, strict."""
    ran = _run("mypy", "--no-color-output")
    if ran.returncode > 1 or not (ran.stdout.startswith("Success") or ": error:" in ran.stdout):
        raise RuntimeError(f"mypy ended with {ran.returncode}: {ran.stderr[-500:]}")
    return Found(sum(": error:" in line for line in ran.stdout.splitlines()))


def secrets() -> Found:
    """Every file that is tracked, less the made-up secrets of tests that the baseline lists."""
    scanned = _pairs(_json(_run("detect-secrets", "scan", "--exclude-files", re.escape(BASELINE)))["results"])
    known = _pairs(json.loads((ROOT / BASELINE).read_text(encoding="utf-8"))["results"])
    if known and not scanned:
        raise RuntimeError("detect-secrets saw no file: it looks at what git tracks, and this is no checkout")
    return Found(len(scanned - known), f"{len(known)} made-up ones of tests are known")


def _pairs(results: Mapping[str, list[dict[str, Any]]]) -> set[tuple[str, str]]:
    return {(name, one["hashed_secret"]) for name, found in results.items() for one in found}


def audit() -> Found:
    """Known vulnerabilities of every package that the locks name."""
    arguments = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
    named = (word for lock in LOCKS for word in ("--requirement", lock))
    return vulnerabilities(_run("pip-audit", *arguments, *named).stdout)


def vulnerabilities(report: str) -> Found:
    """What pip-audit's report comes to. A package that nobody knew anything about was not found to be sound."""
    try:
        packages = json.loads(report)["dependencies"]
    except ValueError:
        return Found(None, "not available: the service that knows them gave no answer")
    unknown = sum("skip_reason" in one for one in packages)
    found = sum(len(one.get("vulns", ())) for one in packages)
    if unknown and not found:
        return Found(None, f"not available: {unknown} of {len(packages)} packages could not be looked up from here")
    return Found(found, f"{len(packages) - unknown} of {len(packages)} packages looked up")


TOOLS: dict[str, Callable[[], Found]] = {
    "zizmor": zizmor,
    "ruff S": ruff,
    "bandit": bandit,
    "mypy --strict": mypy,
    "detect-secrets": secrets,
    "pip-audit": audit,
}


def suppressions(paths: Iterable[Path]) -> Iterator[Suppression]:
    """The comments of these files that silence a tool."""
    for path in paths:
        for number, comment in _comments(path):
            tools = frozenset(tool for tool, words in _SILENCED.items() if re.search(words, comment))
            if tools:
                reasoned = _LETTERS.search(_OWN_WORDS.sub("", comment)) is not None
                yield Suppression(f"{path.name}:{number}", tools, reasoned)


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of each comment."""
    if path.suffix == ".py":
        with tokenize.open(path) as file:
            for token in tokenize.generate_tokens(file.readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], token.string
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        _, mark, comment = line.partition("#")
        if mark:
            yield number, mark + comment


def settings() -> Iterator[Suppression]:
    """Rules that bandit skips, one a line in `pyproject.toml`, and what the baseline holds of the product."""
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.bandit]\n")[2].partition("\n[")[0]
    for line in section.splitlines():
        if rules := re.findall(r'"(B\d{3})"', line.partition("#")[0]):
            reasoned = _LETTERS.search(line.partition("#")[2]) is not None
            yield from (Suppression(rule, frozenset({"bandit"}), reasoned) for rule in rules)
    known = json.loads((ROOT / BASELINE).read_text(encoding="utf-8"))["results"]
    for name, _ in _pairs(known):
        if name.startswith(f"{PRODUCT}/"):
            yield Suppression(name, frozenset({"detect-secrets"}), reasoned=False)


@proof(
    "hygiene",
    "security",
    "Six tools find nothing here, and are told to be silent in few places, each with a reason.",
    alone=True,
)
def measure(_scale: Scale) -> Iterator[Row]:
    """A line for each tool, and one for what they are told not to say."""
    for name, look in TOOLS.items():
        yield of_tool(name, look())
    product = [*suppressions(_files(PRODUCT)), *suppressions((ROOT / ".github").rglob("*.yml")), *settings()]
    apart = suppressions([*_files(f"{PRODUCT}_tests"), *_files("benchmarks")])
    yield of_suppressions(product, sum(1 for _ in apart))


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def of_tool(name: str, found: Found) -> Row:
    """What a tool found, in words; neither met nor missed when it could not look."""
    words = f" ({found.words})" if found.words and found.findings is not None else found.words
    result = words if found.findings is None else f"{found.findings}{words}"
    return Row(f"findings of {name}", result, "0", None if found.findings is None else found.findings == 0)


def of_suppressions(product: list[Suppression], apart: int) -> Row:
    """How many there are, of which tools, and how many have no reason."""
    tools = Counter(tool for one in product for tool in one.tools)
    each = ", ".join(f"{tool} {count}" for tool, count in sorted(tools.items()))
    bare = sum(not one.reasoned for one in product)
    return Row(
        "suppressions in the product",
        f"{len(product)} ({each}), {bare} without a reason; {apart} in tests and benchmarks",
        f"at most {MOST_SUPPRESSIONS}, each with a reason",
        len(product) <= MOST_SUPPRESSIONS and not bare,
    )
