"""Data of the user's that `batchsel run --file` names."""

from __future__ import annotations

from batchsel.errors import UsageError

OWN = {
    "table": "a table (.csv, .tsv, .parquet) with --label COLUMN",
    "images": "a folder of pictures, one folder in it a class",
    "lm_text": "a text (.txt, .md, .jsonl), behind a colon the line that ends its documents",
}
"""Data of the user's that --file names, and what it may be."""


def own_data(dataset: str, own: str | None) -> str:
    """The name of a data set that is the user's own file or folder.

    Args:
        dataset: What it is, as in `OWN`.
        own: The file or folder, or None.

    Returns:
        The name under which it is loaded.

    Raises:
        UsageError: If it is not there, or of another kind.
    """
    from batchsel.data.builders.user_images import is_folder
    from batchsel.data.builders.user_table import ENDINGS
    from batchsel.data.sets.lm_text import is_text

    if own is None:
        if dataset == "lm_text":
            return dataset
        raise UsageError(f"which {dataset}? Give --file {OWN[dataset]}.")
    if dataset not in OWN:
        raise UsageError(f"--file goes with --dataset {', '.join(OWN)}, not with {dataset}. Leave it out.")
    own = own if "/" in own or "\\" in own else f"./{own}"
    known = {"lm_text": is_text, "images": is_folder, "table": lambda name: name.lower().endswith(ENDINGS)}
    if not known[dataset](own):
        raise UsageError(f"--file {own!r}: expected {OWN[dataset]}, as a file or folder that is there.")
    return own
