"""Registries: names are found beside their classes, in sources and in installed packages."""

import importlib.metadata
import subprocess
import sys

import pytest

from batchsel.core.registry import Entry, Registry
from batchsel.core.registry.catalog import docstring, named_parts, scan
from batchsel.errors import UsageError
from batchsel.schedules.registry import REGISTRY as SCHEDULES
from batchsel.selectors.registry import REGISTRY as SELECTORS
from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA

SOURCE = '''
class Half:
    """Halves."""

    name = "half"


class _State:
    """No name, not found."""


def smart():
    """Composes."""


def helper():
    """No alias, not found."""


Smart = smart
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    package = tmp_path / "toolbox"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tools.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    sys.modules.pop("toolbox", None)
    sys.modules.pop("toolbox.tools", None)


def test_a_file_in_the_folder_adds_its_names(folder):
    registry = Registry("tool", ["toolbox"])
    assert {name: entry.attribute for name, entry in registry.entries().items()} == {"half": "Half", "smart": "Smart"}
    assert "toolbox.tools" not in sys.modules
    assert [registry.doc(name) for name in ("half", "smart")] == ["Halves.", "Composes."]
    assert registry.load("half").name == "half"


def test_names_without_a_family_are_listed_last_under_their_folder(folder):
    entries = Registry("tool", ["toolbox"], families={"good": ["smart"]}).entries()
    assert list(entries.values()) == [
        Entry("smart", "toolbox.tools:Smart", "good"), Entry("half", "toolbox.tools:Half", "toolbox"),
    ]  # fmt: skip


def test_installed_packages_add_names_but_replace_none(folder, monkeypatch):
    points = [importlib.metadata.EntryPoint(name, "elsewhere:Thing", "tools") for name in ("half", "third")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    entries = Registry("tool", ["toolbox"], "tools").entries()
    assert entries["half"].target == "toolbox.tools:Half"
    assert entries["third"] == Entry("third", "elsewhere:Thing", "plugin")


def test_unknown_names_get_the_nearest():
    with pytest.raises(UsageError, match="unknown schedule 'cosin'. Did you mean 'cosine'"):
        SCHEDULES.find("cosin")


def test_every_selector_is_sorted_into_a_family():
    folders = {folder.rpartition(".")[2] for folder in SELECTORS.folders}
    assert [entry.name for entry in SELECTORS.built_in_entries.values() if entry.family in folders] == []
    assert {name for names in SELECTORS.families.values() for name in names} == set(SELECTORS.built_in_entries)


@pytest.mark.parametrize("registry", [SELECTORS, SCHEDULES, AUGMENTATIONS, CURRICULA], ids=lambda one: one.kind)
def test_names_are_those_of_the_classes_and_stand_once(registry):
    found = [name for folder in registry.folders for name in scan(folder, registry.rule)]
    assert len(found) == len(set(found))
    for name, entry in registry.built_in_entries.items():
        assert getattr(entry.load(), "name", entry.load().__name__) == name


def test_listing_selectors_is_fast_and_imports_no_tensorflow():
    code = (
        "import sys, time; from batchsel.selectors.registry import REGISTRY; start = time.process_time()\n"
        "docs = [entry.doc() for entry in REGISTRY.entries().values()]\n"
        "assert all(docs) and time.process_time() - start < 2; sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_docstrings_of_unknown_places_are_empty():
    assert docstring("nowhere_at_all:Thing") == ""
    assert named_parts is Registry("tool").rule


def test_the_metadata_of_packages_are_read_once(monkeypatch):
    calls = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: calls.append(group) or [])
    for _ in range(3):
        assert "half" not in Registry("tool", group="tools.read.once").entries()
    assert calls == ["tools.read.once"]
