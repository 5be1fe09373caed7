"""The mutants: the operators of cosmic-ray at every place of a module, and which of them are tried."""

from __future__ import annotations

import ast
import importlib
import random
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from integration_assets_tests.proofs.mutations.table import ROOT, modules

_LEFT_OUT = ("RemoveDecorator", "VariableReplacer", "VariableInserter")
"""The first breaks a class at its first use and flatters the score; the others need names to be given."""


class Mutant(NamedTuple):
    """One change at one place of a module."""

    module: Path
    operator: str
    occurrence: int
    line: int
    code: str

    @property
    def name(self) -> str:
        """Where it is and what it does, to repeat it alone."""
        return f"{self.module.relative_to(ROOT)}:{self.line} {self.operator} {self.occurrence}"


def _operators() -> dict[str, Any]:
    provider = importlib.import_module("cosmic_ray.operators.provider").OperatorProvider()
    # `is` instead of `==` is a question of how CPython keeps small values, not of what the code means.
    identity = ("_Is", "_IsNot")
    names = [name for name in provider if name not in _LEFT_OUT and not ("Eq_" in name and name.endswith(identity))]
    return {name: provider[name]() for name in names}


class _Meaning(ast.NodeTransformer):
    """Takes annotations away: a wrong one is for the type checker to find."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def _meaning(code: str) -> str | None:
    try:
        return ast.dump(_Meaning().visit(ast.parse(code)))
    except SyntaxError:
        return None


def _places(module: Path, operators: dict[str, Any]) -> dict[tuple[Path, int, int], list[tuple[str, int]]]:
    """Every place of a module that some operator changes, with the changes."""
    tools = importlib.import_module("cosmic_ray.ast")
    nodes = list(tools.ast_nodes(tools.get_ast(module.read_text())))
    places: dict[tuple[Path, int, int], list[tuple[str, int]]] = defaultdict(list)
    for name, operator in operators.items():
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, column) in enumerate(positions):
            places[module, line, column].append((name, occurrence))
    return places


def sample(package: str, size: int, seed: int) -> tuple[list[Mutant], int]:
    """One mutant at each of `size` places of a package drawn by `seed`, and how many places there are.

    A place is drawn before what is done there: an arithmetic sign has a dozen operators, and would else outweigh a
    comparison. What is no Python, or changes annotations only, is passed over for the next place.
    """
    operators = _operators()
    change = importlib.import_module("cosmic_ray.mutating").mutate_code
    places = [item for module in modules(package) for item in sorted(_places(module, operators).items())]
    dice = random.Random(f"{seed} {package}")
    drawn: list[Mutant] = []
    for (module, line, _), changes in dice.sample(places, len(places)):
        if len(drawn) == size:
            break
        name, occurrence = dice.choice(changes)
        before = module.read_text()
        code = change(before, operators[name], occurrence)
        if code and (meaning := _meaning(code)) and meaning != _meaning(before):
            drawn.append(Mutant(module, name, occurrence, line, code))
    return drawn, len(places)
