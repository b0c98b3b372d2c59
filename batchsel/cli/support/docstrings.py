"""Parse docstrings, for commands that show selectors, models and the like."""

from __future__ import annotations

import re

LABELS = ("Formula", "Cost", "Source")


def summary(doc: str) -> str:
    r"""Return the first line of a docstring without indentation.

    Example:
        >>> summary("Short.\n\nLong.")
        'Short.'
    """
    return doc.splitlines()[0] if doc else ""


def labeled(doc: str) -> dict[str, str]:
    r"""Return the paragraphs "Formula: ...", "Cost: ..." and "Source: ..." by name.

    Example:
        >>> labeled("Short.\n\nFormula: a = b\nover two lines.\nCost: none.")
        {'Formula': 'a = b over two lines.', 'Cost': 'none.'}
    """
    found = {}
    labels = "|".join(LABELS)
    for match in re.finditer(rf"^({labels}): (.*?)(?=^(?:{labels}): |^\s*$|\Z)", doc + "\n", re.DOTALL | re.MULTILINE):
        found[match[1]] = " ".join(match[2].split())
    return found


def parameters(doc: str) -> dict[str, str]:
    r"""Return the descriptions in the section "Args:" by parameter.

    Example:
        >>> parameters("Short.\n\nArgs:\n    a: First,\n        and more.\n    b: Second.\n\nRaises:\n    X: y")
        {'a': 'First, and more.', 'b': 'Second.'}
    """
    section = re.search(r"^Args:\n((?:[ ]{4,}.*\n?|\n(?=[ ]{4}))+)", doc, re.MULTILINE)
    if not section:
        return {}
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
