"""Every public name has a docstring with an example, which `make doctest` runs."""

import importlib
import inspect

import pytest

from batchsel import models

PACKAGES = [
    "batchsel", "batchsel.data", "batchsel.experiments", "batchsel.optimizers", "batchsel.schedules", "batchsel.selectors",
    "batchsel.testing", "batchsel.training", "batchsel.transforms.augmentation", "batchsel.transforms.curricula",
]  # fmt: skip


def without_example(objects):
    """Return the names of the classes and functions without an example."""
    documented = {name: each for name, each in objects.items() if inspect.isclass(each) or inspect.isroutine(each)}
    return [name for name, each in documented.items() if ">>> " not in (each.__doc__ or "")]


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_have_examples(name):
    package = importlib.import_module(name)
    assert package.__all__
    assert without_example({each: getattr(package, each) for each in package.__all__}) == []


def test_models_have_examples():
    assert without_example({name: entry.load() for name, entry in models.REGISTRY.built_in_entries.items()}) == []
    assert without_example({name: getattr(models, name) for name in ("build", "check", "doc", "names")}) == []


def test_a_name_without_example_is_found():
    def documented():
        """Return nothing.

        Example:
            >>> documented()
        """

    def undocumented():
        """Return nothing."""

    assert without_example({"a": documented, "b": undocumented, "c": 3}) == ["b"]
