"""All targets, in the order of the table."""

from __future__ import annotations

from fuzzing.archives import ARCHIVES
from fuzzing.arrays import CIFAR, IDX, MATLAB, NPZ, VOCABULARY
from fuzzing.built import BUILT
from fuzzing.pictures import FOLDERS, PICTURES
from fuzzing.runs import CHECKPOINTS, RECORDS
from fuzzing.tables import DELIMITED, JSON, PARQUET, TEXTS
from fuzzing.written import CARDS, CONFIGS, FORMS

TARGETS = {
    target.name: target
    for target in (
        FORMS, BUILT, DELIMITED, PARQUET, JSON, TEXTS, VOCABULARY, IDX, NPZ, MATLAB, CIFAR, PICTURES, FOLDERS, ARCHIVES, CARDS,
        CONFIGS, RECORDS, CHECKPOINTS,
    )
}  # fmt: skip
"""Targets by name."""
