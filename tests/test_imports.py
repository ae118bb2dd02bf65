"""The import directions that the linter cannot see: functions, ops → wiring → aws → the rest."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYER = ROOT / "layers" / "backstop"
MODULES = sorted((LAYER / "backstop").rglob("*.py"))
FUNCTION_FILES = sorted((ROOT / "functions").rglob("*.py"))
OPS_FILES = sorted((ROOT / "ops").rglob("*.py"))

AWS_LIBRARIES = {"boto3", "botocore", "aws_lambda_powertools"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "tools"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")


class Imports(ast.NodeVisitor):
    """Collects what a file imports when it runs: what only type checkers see is left out."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        self.names |= {"." * node.level + module, *(f"{module}.{alias.name}" for alias in node.names)}

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)


def imports_of(path: Path) -> set[str]:
    visitor = Imports()
    visitor.visit(ast.parse(path.read_text()))
    return visitor.names


def uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imports_of(path))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().removeprefix("layers/backstop/")


def those_in(*rooms: str) -> list[Path]:
    return [path for path in MODULES if module_name(path).startswith(rooms)]


AWS = those_in("backstop.aws")
WIRING = those_in("backstop.wiring")
SETTINGS = those_in("backstop.settings")
PURE = [path for path in MODULES if path not in AWS + WIRING + SETTINGS]


def test_all_rooms_are_there() -> None:
    assert len(AWS) > 3
    assert len(WIRING) > 1
    assert len(SETTINGS) > 1
    assert len(PURE) > 10
    assert FUNCTION_FILES


@pytest.mark.parametrize("path", [path for path in MODULES if path not in AWS], ids=named)
def test_only_the_adapters_know_aws(path: Path) -> None:
    assert not [library for library in AWS_LIBRARIES if uses(path, library)]


@pytest.mark.parametrize("path", PURE + SETTINGS, ids=named)
def test_what_decides_knows_neither_adapters_nor_wiring(path: Path) -> None:
    assert not uses(path, "backstop.aws")
    assert not uses(path, "backstop.wiring")


@pytest.mark.parametrize("path", AWS, ids=named)
def test_adapters_do_not_know_who_joins_them(path: Path) -> None:
    assert not uses(path, "backstop.wiring")


@pytest.mark.parametrize("path", PURE + AWS, ids=named)
def test_only_the_wiring_knows_settings(path: Path) -> None:
    assert not uses(path, "backstop.settings")


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_the_package_imports_absolutely_and_nothing_from_outside_it(path: Path) -> None:
    names = imports_of(path)
    assert not [name for name in names if name.startswith(".")]
    assert not {name.partition(".")[0] for name in names} & {"ops", "functions", "tests", "handler", "app"}


@pytest.mark.parametrize("path", FUNCTION_FILES, ids=named)
def test_functions_know_the_authors_names_and_the_wiring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    ours = {module for module in modules if module.partition(".")[0] in {"backstop", "ops", "tests", "functions"}}
    assert not [module for module in ours if module != "backstop" and not module.startswith("backstop.wiring.")]
    assert not [name for name in imports_of(path) if name.startswith("backstop.aws")]


@pytest.mark.parametrize("path", FUNCTION_FILES, ids=named)
def test_functions_take_only_what_backstop_offers_by_name(path: Path) -> None:
    tree = ast.parse(path.read_text())
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "backstop"
        for alias in node.names
    }
    import backstop

    assert taken <= set(backstop.__all__)


@pytest.mark.parametrize("path", MODULES + FUNCTION_FILES + OPS_FILES, ids=named)
def test_each_module_has_a_room_of_its_own(path: Path) -> None:
    assert not set(path.relative_to(ROOT).with_suffix("").parts) & VAGUE


@pytest.mark.parametrize("module", ["backstop", "backstop.process", "backstop.effects"])
def test_what_an_author_imports_costs_no_cold_start(module: str) -> None:
    heavy = sorted({*AWS_LIBRARIES, "stamina", "tenacity", "urllib3", "redis"})
    script = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.split() == []
