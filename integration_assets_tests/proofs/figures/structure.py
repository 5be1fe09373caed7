"""Size and shape of the product, sandbox aside: all there is to read, and how far one thing travels through it."""

from __future__ import annotations

import ast
import re
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import msgspec

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.proofs.registry import Row, Scale, proof, root
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import OBJECT, World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, folder

PACKAGE = "integration_assets"
LEAST_COMMENTS = 4.0
"""Comments in 100 lines: well-kept code of this kind has 5 to 9."""
DEEPEST = 4
"""Levels of a value that are searched for a text."""
WIDEST = 500
"""Items of a list or a page that are searched for a text."""

_QUESTION = re.compile(r"(what|whether|how|who|whose|where|why)\b", re.IGNORECASE)
_MARK_OF_A_TOOL = re.compile(r"noqa|type: ignore|nosec")


@dataclass
class Shape:
    """What the sources of a package look like. `imports` has the modules of the package that each one imports."""

    files: int = 0
    lines: int = 0
    definitions: int = 0
    comments: int = 0
    questions: int = 0
    imports: dict[str, set[str]] = field(default_factory=dict)


@proof("structure", "figures", "The product is one way from room to room, and says its reasons.")
def measure(_scale: Scale) -> Iterator[Row]:
    """Sizes without a goal, circles and arrows back, and the ways of a vote, a credential and a refused record."""
    shape = shape_of(root() / PACKAGE)
    yield Row("files", f"{shape.files:,}", "as many as are needed", True)
    yield Row("lines that are not blank", f"{shape.lines:,}", "as many as are needed", True)
    yield Row("definitions in 1,000 lines", f"{shape.definitions / shape.lines * 1000:.0f}", "a measure", True)
    comments = shape.comments / shape.lines * 100
    yield Row("comments in 100 lines", f"{comments:.1f}", f"at least {LEAST_COMMENTS:.0f}", comments >= LEAST_COMMENTS)
    yield Row("docstrings that begin with a question", f"{shape.questions}", "0", shape.questions == 0)
    yield Row("circles of imports", f"{len(circles(shape.imports))}", "0", not circles(shape.imports))
    back = arrows_back(shape.imports, layers(root() / "pyproject.toml"))
    yield Row("imports of a room above", f"{len(back)}", "0", not back, ", ".join(back[:3]))
    for name, way in ways().items():
        yield Row(f"the way of {name}", f"{len(way.files)} files, {len(way.functions)} functions", "a measure", True)


def shape_of(package: Path) -> Shape:
    """Read every source file of a package but those of the sandbox."""
    shape, modules = Shape(), dict(_modules(package))
    for module, path in modules.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        shape.files += 1
        shape.lines += sum(1 for line in text.splitlines() if line.strip())
        shape.comments += sum(1 for line in text.splitlines() if "#" in line and not _MARK_OF_A_TOOL.search(line))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                shape.definitions += 1
                shape.questions += bool(_QUESTION.match(ast.get_docstring(node) or ""))
        shape.imports[module] = set(_imports(tree, modules))
    return shape


def _modules(package: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if "sandbox" not in parts:
            yield ".".join(parts).removesuffix(".__init__"), path


def _imports(tree: ast.Module, modules: Mapping[str, Path]) -> Iterator[str]:
    """Modules of the package that a file imports anywhere, also inside a function or for annotations only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield from (one for one in (whole if whole in modules else node.module,) if one in modules)


def circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reachable = {module: _reachable(imports, module) for module in imports}
    groups = {frozenset({one, *(other for other in reachable[one] if one in reachable[other])}) for one in imports}
    return [set(group) for group in groups if len(group) > 1]


def _reachable(imports: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for one in imports[waiting.pop()] - found:
            found.add(one)
            waiting.append(one)
    return found


def layers(pyproject: Path) -> list[tuple[str, ...]]:
    """The rooms from the top down, as the first import contract has them; rooms beside each other are one level."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return [tuple(room.strip() for room in level.split(":")) for level in contracts[0]["layers"]]


def arrows_back(imports: Mapping[str, set[str]], levels: list[tuple[str, ...]]) -> list[str]:
    """Imports of a room above one's own, as `module -> module`."""
    height = {room: level for level, rooms in enumerate(levels) for room in rooms}

    def level_of(module: str) -> int | None:
        return height.get(".".join(module.split(".")[:2]))

    return [
        f"{module} -> {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others)
        if (below := level_of(module)) is not None and (above := level_of(other)) is not None and above < below
    ]


@dataclass
class Way:
    """Files and functions of the product that were given a value with a text in it."""

    text: str
    files: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)


def ways() -> dict[str, Way]:
    """Follow a vote, a credential and a refused record through a first sync of the small world."""
    # Their changes show at once.
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with ExitStack() as stack:
        world = stack.enter_context(world_of(sandbox, stack.enter_context(folder())))
        stack.enter_context(records_in_memory())
        world.set_up()
        world.portal.require(OBJECT, "category", when=("board", "Bugs"))
        vote = next(iter(world.canny.votes))
        found = {
            "one vote": Way(vote),
            "one credential": Way(world.sandbox.sandbox.portal.token),
            "one refused record": Way(_refused(world)),
        }
        with followed(list(found.values())):
            world.sync()
    return found


def _refused(world: World) -> str:
    """Key of the record that the portal refuses: of the only request of the board whose records need a category."""
    return world.key("crash")


@contextmanager
def followed(found: list[Way]) -> Iterator[None]:
    """Note every function of the product that is called with one of the texts while the block runs, in any thread."""
    folder_ = str(root() / PACKAGE)
    apart = str(root() / PACKAGE / "sandbox")

    def look(frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(folder_) or name.startswith(apart):
            return
        given = [frame.f_locals.get(one) for one in frame.f_code.co_varnames[: frame.f_code.co_argcount]]
        for way in found:
            if any(_holds(value, way.text, DEEPEST) for value in given):
                way.files.add(name)
                way.functions.add(f"{name}:{frame.f_code.co_qualname}")

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _holds(value: object, text: str, depth: int) -> bool:
    """Tell whether a text is somewhere in a value, as far as values are looked into."""
    if isinstance(value, str | bytes):
        return text in value if isinstance(value, str) else text.encode() in value
    if depth == 0:
        return False
    if hasattr(value, "get_secret_value"):
        return _holds(value.get_secret_value(), text, depth)
    if isinstance(value, msgspec.Struct):
        return any(_holds(getattr(value, name), text, depth - 1) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return any(_holds(one, text, depth - 1) for one in list(value.values())[:WIDEST])
    if type(value) in (list, tuple, set, frozenset):  # Dagster has tuples of its own that refuse to be iterated
        return any(_holds(one, text, depth - 1) for one in list(value)[:WIDEST])  # type: ignore[call-overload]
    return False
