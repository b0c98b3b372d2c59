"""Tables for notebooks, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_MOST_ROWS = 12


def html_table(columns: Mapping[str, Sequence[float | str | None]], caption: str = "") -> str:
    """Return a table; of many rows the first and the last are shown.

    Args:
        columns: Cells of each column; numbers are shown with four significant digits, None as a dash.
        caption: Text above it.

    Example:
        >>> html_table({"epoch": [1], "loss": [0.51237]})
        '<table><thead><tr><th>epoch</th><th>loss</th></tr></thead><tbody><tr><td>1</td><td>0.5124</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    count = max(map(len, columns.values()), default=0)
    rows = [[_text(cells[row]) if row < len(cells) else "" for cells in columns.values()] for row in range(count)]
    if count > _MOST_ROWS:
        half = _MOST_ROWS // 2
        rows = [*rows[:half], ["…"] * len(columns), *rows[-half:]]
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: float | str | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
