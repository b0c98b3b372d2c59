"""Layout rules that a machine can check: sizes, folders, words, and the tree in the docs. No TensorFlow."""

import ast
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "batchsel"
CATALOGS = {"batchsel/data/sets", "batchsel/models"}
"""Folders with one file for each entry, as are all that are named methods."""
QUESTIONS = re.compile(r"(What|How|Which|Whether|Where|Who|Whom|Why|When)\b")
MAX_LINES, MAX_ENTRIES = 400, 15
# Names of version 0.1 that a reader of Keras, optax or scikit-learn had to look up; they must not come back.
OLD_MODULES = {
    "carry", "turn", "pace", "course", "feeds", "fitting", "request", "hooks", "faults", "preparation", "reference",
    "mixing", "resizing", "quiet", "interruption", "exchange", "drawing", "rhythm", "workshop", "campaign", "stated",
    "recording", "measures", "arrivals", "spending", "chosen", "equal", "levels", "spoilt", "partial", "space", "content",
    "transfer", "pictures", "picture_rows", "class_folders", "prepared", "conducting", "named", "own_data", "calls",
    "written", "replacing", "whole", "clamping",
}  # fmt: skip
OLD_NAMES = {
    "Carry", "Span", "Moment", "Turn", "Taken", "Pace", "Course", "Resident", "Streamed", "Fitting", "Preparation", "Learn",
    "PerSample", "Seen", "Choice", "Given", "Thin", "Workshop", "Surroundings", "Instruments", "Tried", "Look", "Picture",
    "Breaking", "Wishes", "PipeNames", "Growth", "TrainingFault", "forgive", "at_cursor", "_unborn", "put_back",
    "left_as_it_was", "copy_fresh", "happens", "dealt", "kept_first", "filled_plan", "taken_highest", "reads_losses",
    "rescores", "sees_inputs", "differs_from_itself", "stated_rate", "run_on", "own_data", "conduct", "conduct_card",
    "rows_of",
}  # fmt: skip
KEPT = {"run_on": "batchsel/experiments/"}
"""Old names that stay in a folder because they are on disk: fields of a spec."""


def _modules():
    return sorted(PACKAGE.rglob("*.py"))


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _docstrings(tree):
    """Yield docstrings, and the strings below attributes, with their lines."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.lineno, statement.value.value


def _identifiers(tree):
    """Yield the names that the module gives: of classes, functions, arguments, attributes and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def test_no_file_is_longer_than_400_lines():
    paths = [*_modules(), *(ROOT / "tests").rglob("*.py")]
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in paths}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_folder_has_more_than_15_entries():
    crowded = {}
    for folder in (path.parent for path in PACKAGE.rglob("__init__.py")):
        name = _name(folder)
        modules = [path for path in folder.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
        entries = [*modules, *folder.glob("*/__init__.py")]
        if len(entries) > MAX_ENTRIES and folder.name != "methods" and name not in CATALOGS:
            crowded[name] = len(entries)
    assert crowded == {}


def test_no_docstring_opens_with_a_question_word():
    found = []
    for path in _modules():
        for line, text in _docstrings(ast.parse(path.read_text("utf-8"))):
            if isinstance(text, str) and QUESTIONS.match(text.lstrip()):
                found.append(f"{_name(path)}:{line}: {text.splitlines()[0]}")
    assert not found, "\n".join(found)


def test_old_names_are_gone():
    found = [_name(path) for path in _modules() if path.stem in OLD_MODULES]
    for path in _modules():
        names = _identifiers(ast.parse(path.read_text("utf-8")))
        for line, name in names:
            if name in OLD_NAMES and not _name(path).startswith(KEPT.get(name, "nowhere")):
                found.append(f"{_name(path)}:{line}: {name}")
    assert not found, "\n".join(found)


def test_the_tree_in_the_architecture_page_is_the_tree_of_the_package():
    script = runpy.run_path(str(ROOT / "docs" / "tree.py"))
    assert script["page"]() == script["PAGE"].read_text("utf-8"), "make docs brings it up to date"


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_paths_in_the_docs_exist(path):
    """Check paths of files in code quotes, as in `batchsel/selectors/base.py`."""
    text = (ROOT / path).read_text("utf-8")
    named = set(re.findall(r"`((?:batchsel|tests|docs|datasets|experiments)/[\w/]+(?:\.\w+)?/?)`", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
