"""User data that `batchsel run --file` names."""

from __future__ import annotations

from batchsel.core.filesystem.reading import shorten_path
from batchsel.errors import UsageError

KINDS = {
    "table": "a table (.csv, .tsv, .parquet, .jsonl) with --label COLUMN",
    "images": "a folder of images, with one folder per class",
    "lm_text": "a text (.txt, .md), optionally followed by a colon and the line that ends its documents, by=line or"
    " by=position; JSON lines (.jsonl:KEY); or a table (.csv, .tsv, .parquet) with --text COLUMN",
}
"""Kinds of user data, and what --file may be for each."""


def user_data_name(kind: str, file: str | None, text: str | None = None) -> str:
    """Return the name under which a user's file or folder is loaded.

    Args:
        kind: Kind of data, of `KINDS`.
        file: The file or folder, or None.
        text: Column or key of the texts, for a language model, or None.

    Raises:
        UsageError: If it is missing, or of another kind.
    """
    from batchsel.data.user.image_folder import is_image_folder
    from batchsel.data.user.table_files import SPLIT_SUFFIXES
    from batchsel.data.user.text import is_text_file

    if file is None:
        if kind == "lm_text":
            return kind
        raise UsageError(f"which {kind}? Give --file {KINDS[kind]}.")
    if kind not in KINDS:
        raise UsageError(f"--file goes with --dataset {', '.join(KINDS)}, not with {kind}. Leave it out.")
    file = file if "/" in file or "\\" in file else f"./{file}"
    if kind == "lm_text" and text:
        file = f"{file}:text={text}"
    checks = {
        "lm_text": is_text_file,
        "images": is_image_folder,
        "table": lambda name: name.lower().endswith(SPLIT_SUFFIXES),
    }
    if not checks[kind](file):
        raise UsageError(f"--file {shorten_path(file)!r}: expected {KINDS[kind]}, as an existing file or folder.")
    return file
