"""Layout of a folder of images: its splits, their shards and the classes, found out before an image is opened."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from batchsel.core.filesystem.json_text import parse_json
from batchsel.core.filesystem.reading import reading
from batchsel.data.builders.image_files import SUFFIXES
from batchsel.data.splits import SPLIT_NAMES
from batchsel.errors import UserError, shorten

_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}
# ImageNet-100 is spread as train.X1 to train.X4 and val.X; others have train_0, train-00001-of-00004.
_SHARD = r"[._-]?(?:x|part|shard)?[._-]?\d*(?:-of-\d+)?"
_SPLIT = re.compile(rf"(?P<name>{'|'.join(_SPLITS)})(?P<shard>{_SHARD})", re.IGNORECASE)
_CLASS_NAMES = "Labels.json"
_INSIDE = "images"
"""Name of the one folder that a class folder may hold in place of images, as in Tiny ImageNet."""
_SHOWN = 5


class ImageLayout(NamedTuple):
    """Layout of a folder of images."""

    splits: dict[str, list[Path]]
    """Folders of class folders for each split, the shards of a split together; "train" at least."""
    classes: list[str]
    """Names of the class folders, sorted."""
    class_names: tuple[str, ...]
    """Names of the classes: those of Labels.json, where there is one, else those of the folders."""
    unread: list[str]
    """Folders beside the splits that are not read."""


def find_layout(root: Path) -> ImageLayout:
    """Find out how the images of a folder are laid out.

    Args:
        root: A folder of class folders, or of folders of splits (train, val or valid, test) with class folders in them.
            A split may lie in several folders, such as ``train.X1`` and ``train.X2``.

    Raises:
        UserError: If there are fewer than two classes, or folders could be read in several ways.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("train.X1/cats", "train.X2/dogs", "val.X/cats"):
        ...         Path(folder, name).mkdir(parents=True)
        ...         _ = Path(folder, name, "1.png").write_bytes(b"")
        ...     layout = find_layout(Path(folder))
        >>> {split: [path.name for path in paths] for split, paths in layout.splits.items()}, layout.classes
        ({'train': ['train.X1', 'train.X2'], 'test': ['val.X']}, ['cats', 'dogs'])
    """
    splits, unread = _find_splits(root)
    if not splits:
        splits = {"train": [root]}
    elif "train" not in splits:
        raise UserError(f"{root} holds {_listed(splits)} and no folder train. Expected train, and val or test.")
    elif "validation" in splits and "test" not in splits:
        # Data sets with two splits call the second one by either name; it is the one to report on.
        splits["test"] = splits.pop("validation")
    classes = sorted({name for path in splits["train"] for name in list_class_folders(path)})
    if len(classes) < 2:
        where = " and ".join(map(str, splits["train"]))
        below = splits["train"][0] / classes[0] if classes else root
        hint = f" Name the folder one level down: {below}." if len(list_class_folders(below)) > 1 and classes else ""
        raise UserError(
            f"{where} holds {len(classes) or 'no'} folder{'' if len(classes) == 1 else 's'}. Expected one for each"
            f" class, two or more: cats/1.jpg, dogs/1.jpg; or train/cats, test/cats and so on.{hint}"
        )
    _check_classes(splits, classes)
    return ImageLayout(splits, classes, _class_names(root, classes), [*unread, *_find_unread(splits)])


def list_class_folders(path: Path) -> list[str]:
    """Return the sorted names of the folders in a folder, without hidden ones; none if it does not exist.

    Example:
        >>> list_class_folders(Path("/nowhere"))
        []
    """
    if not os.path.isdir(path):
        return []
    with reading(path, "cannot be listed", "Check its permissions."), os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Folders of classes hold many files, which the listing tells from folders; only links have to be followed.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def annotation_file(path: Path) -> Path:
    """Return the file that names the class of each image of a split, as in Tiny ImageNet; it need not exist."""
    return path / f"{path.name}_annotations.txt"


def find_shards(root: Path, name: str) -> list[Path]:
    """Return the folders of a split: that of its name, or else its shards.

    Args:
        root: Folder of the splits.
        name: Name of the split's folder, as in "train".

    Example:
        >>> find_shards(Path("/nowhere"), "train")
        []
    """
    if (root / name).is_dir():
        return [root / name]
    found = []
    for folder in list_class_folders(root):
        match = _SPLIT.fullmatch(folder)
        if match and match["name"].lower() == name.lower() and match["shard"]:
            found.append(root / folder)
    return sorted(found, key=_shard_number)


def _find_splits(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the folders of each split, and the names of the others; nothing if no folder is one of a split."""
    found: dict[str, list[Path]] = {}
    whole: dict[str, list[str]] = {}
    others = []
    for name in list_class_folders(root):
        match = _SPLIT.fullmatch(name)
        inside = list_class_folders(root / name)
        if match is None or not inside:
            others.append(name)
        elif inside == [_INSIDE] and not annotation_file(root / name).is_file():
            others.append(f"{name} (without labels)")
        else:
            split = _SPLITS[match["name"].lower()]
            found.setdefault(split, []).append(root / name)
            if not match["shard"]:
                whole.setdefault(split, []).append(name)
    for split, names in whole.items():
        if len(found[split]) > 1:
            raise UserError(
                f"{root} has several folders for the {split} split, {_listed([path.name for path in found[split]])},"
                f" of which {names[0]} is no part of one. Remove what is not to be read."
            )
    ordered = {
        split: sorted(found[split], key=_shard_number) for split in ("train", "validation", "test") if split in found
    }
    return ordered, others if ordered else []


def _shard_number(path: Path) -> tuple[int, str]:
    digits = re.search(r"\d+", path.name)
    return int(digits[0]) if digits else -1, path.name


def _check_classes(splits: dict[str, list[Path]], classes: Sequence[str]) -> None:
    """Refuse folders that are no classes, and classes that the training split lacks: no model can learn them."""
    for path in splits["train"]:
        _refuse_folders_of_folders(path)
    matches = {name: match for name in classes if (match := _SPLIT.fullmatch(name))}
    named = list(matches)
    # One class may be called train, among cars and planes.
    if len(named) > 1 or any(match["shard"] for match in matches.values()):
        raise UserError(
            f"{splits['train'][0]}: {_listed(named)} would be classes by their place and are splits by their names."
            " Expected class folders in them, as in train/cats, or other names."
        )
    for split, paths in splits.items():
        for path in paths:
            if annotation_file(path).is_file():
                continue
            unknown = sorted(set(list_class_folders(path)) - set(classes))
            if unknown:
                raise UserError(
                    f"{path} has the classes {_listed(unknown)}, which the training split lacks. Remove them"
                    f" from the {split} split, or add them to {splits['train'][0]}."
                )


def _find_unread(splits: dict[str, list[Path]]) -> list[str]:
    """Return the folders that hold images beside their class folders, which are not read."""
    paths = itertools.chain.from_iterable(splits.values())
    return [f"images in {path.name} itself" for path in paths if _holds_images(path)]


def _refuse_folders_of_folders(path: Path) -> None:
    deeper = []
    for name in list_class_folders(path):
        inside = list_class_folders(path / name)
        if inside and inside != [_INSIDE] and not _holds_images(path / name):
            deeper.append(name)
    if deeper:
        raise UserError(
            f"{path}: {_listed(deeper)} would be {'a class' if len(deeper) == 1 else 'classes'} and hold only folders,"
            " no images. Expected class folders with images, or train, val and test with class folders in them; or name"
            " the folder one level down."
        )


def _holds_images(path: Path) -> bool:
    with reading(path, "cannot be listed", "Check its permissions."), os.scandir(path) as entries:
        return any(entry.name.lower().endswith(SUFFIXES) for entry in entries)


def _class_names(root: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes: those of Labels.json, the first of several words for a class."""
    file = root / _CLASS_NAMES
    if not file.is_file():
        return tuple(classes)
    with reading(file, "is not JSON", "Repair or remove it: it names the class of each folder."):
        stated = parse_json(file.read_bytes())
    missing = [name for name in classes if not isinstance(stated, dict) or not isinstance(stated.get(name), str)]
    if missing:
        raise UserError(f"{file} does not name the classes {_listed(missing)}. Repair or remove it.")
    words = [stated[name].split(",")[0].strip() or name for name in classes]
    twice = {word for word in words if words.count(word) > 1}
    return tuple(f"{word} ({name})" if word in twice else word for word, name in zip(words, classes, strict=True))


def _listed(names: Iterable[str]) -> str:
    words = list(map(shorten, names))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
