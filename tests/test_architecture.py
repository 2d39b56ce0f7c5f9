"""The map of the code is true: every path that it names is there, and every name in the file it is said to be in."""

import ast
import re
from pathlib import Path

import pytest

import archbench

PACKAGE = Path(archbench.__file__).parent
ROOT = PACKAGE.parent
MAP = (ROOT / "docs" / "architecture.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:[a-z_]+/)*(?:[a-z_]+\.py|[a-z_]+/))(?::[^`]*)?`", MAP)))
NAMES = sorted(set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py): (\w+)`", MAP)))


def defined(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_there(path):
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize(("path", "name"), NAMES, ids=lambda part: part)
def test_every_name_is_in_its_file(path, name):
    assert name in defined(PACKAGE / path)


def test_every_room_is_on_the_map():
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert rooms == {path.strip("/") for path in re.findall(r"^\| `(\w+/)` \|", MAP, re.M)}
    assert rooms <= set(re.findall(r"\b(\w+)\[", MAP))
