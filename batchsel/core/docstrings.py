"""Docstrings read from source, so that listing what there is imports no TensorFlow."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path


def docstring(target: str) -> str:
    """The docstring of a class or function that is not imported for it.

    Args:
        target: Where it is, as ``module:name``.

    Example:
        >>> docstring("batchsel.models.mlp:mlp").splitlines()[0]
        'A feed-forward network: dense layers with ReLU.'
    """
    module, name = target.split(":")
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text("utf-8"))
    kinds = ast.ClassDef | ast.FunctionDef
    found = (node for node in tree.body if isinstance(node, kinds) and node.name == name)
    return next((ast.get_docstring(node) or "" for node in found), "")
