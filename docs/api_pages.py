"""Write the pages of the API reference: one for each public package, with every name that it exports."""

import importlib
import inspect
from pathlib import Path

PACKAGES = {
    "batchsel": "``fit``, ``Trainer``, ``Target``, records and trackers: the names of the package itself.",
    "batchsel.selectors": "Selectors, and the scores, modifiers and draws that they are composed of.",
    "batchsel.schedules": "Schedules of the learning rate, and of the batches of an update.",
    "batchsel.transforms.augmentation": "Augmentations of pictures, imported as ``batchsel.augmentation``.",
    "batchsel.transforms.curricula": "Curricula over resolution and blur, imported as ``batchsel.curricula``.",
    "batchsel.data": "Data sets, and the sources that samples are read from.",
    "batchsel.models": "Models, from a dense network to ConvNeXt, and how one is built from its text form.",
    "batchsel.optimizers": "Optimizers for large batches, and optimizers by name.",
    "batchsel.experiments": "Settings and records of runs.",
    "batchsel.testing": "Checks for selectors of your own.",
    "batchsel.training": "Errors and the clock of the trainer.",
}
"""Public packages, in the order of the site."""
_MODEL_FUNCTIONS = ("build", "check", "doc", "names")


def public_objects(package: str) -> dict[str, str]:
    """Return the public names of a package and the full name of the object behind each.

    Args:
        package: One of `PACKAGES`.
    """
    module = importlib.import_module(package)
    if package == "batchsel.models":
        models = {name: entry.target.replace(":", ".") for name, entry in module.REGISTRY.built_in_entries.items()}
        return {name: f"{package}.{name}" for name in _MODEL_FUNCTIONS} | models
    return {name: f"{package}.{name}" for name in module.__all__}


def api_pages() -> dict[str, str]:
    """Return the page of each package, in reStructuredText; what several export is on the page of the first."""
    pages, known = {}, []
    for package, summary in PACKAGES.items():
        names, entries = [], []
        for path in public_objects(package).values():
            found = _load(path)
            if inspect.ismodule(found) or isinstance(found, str) or found in known:
                continue
            known.append(found)
            kind = "class" if inspect.isclass(found) else "function"
            names.append(f"   ~{path.removeprefix(f'{package}.')}")
            entries += [f".. auto{kind}:: {path}", *(["   :members:"] if kind == "class" else []), ""]
        head = [package, "=" * len(package), "", summary, "", f".. currentmodule:: {package}", ""]
        overview = [".. autosummary::", "   :nosignatures:", "", *names, ""]
        pages[package] = "\n".join(head + overview + entries)
    return pages


def write_api_pages(folder: Path) -> None:
    """Write a page for each package and a table of all, and leave those alone that are as they should be.

    Args:
        folder: The folder, which is made if need be.
    """
    folder.mkdir(exist_ok=True)
    pages = {f"{package}.rst": text for package, text in api_pages().items()}
    for name, text in {**pages, "packages.txt": _overview()}.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _overview() -> str:
    """Return the table of all packages that `docs/api.md` includes, in Markdown."""
    rows = [f"| [{package}](api/{package}.rst) | {summary} |" for package, summary in PACKAGES.items()]
    return "\n".join(["| Package | Contents |", "|---|---|", *rows, ""])


def _load(path: str):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
