"""How figures look: one palette, one colour an arm in all figures, and SVG or PNG out of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 9.0
"""Width of a figure that fills the page."""
INK, GREY, LIGHT = "#222222", "#666666", "#DDDDDD"
# Okabe and Ito's colours, which people with colour blindness can tell apart, without the yellow.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INSIDE = 8
"""More entries are not put inside of a panel."""
_COLUMNS, _ROWS, _ROW = 3, 2, 0.17
"""Of a legend below a figure: columns, rows that there is room for, inches of a row more."""
_DASHES = ("-", "--", ":", "-.")


class Look:
    """A colour and a line of each arm, the same in every figure; the baseline is black.

    Args:
        arms: Names, the baseline first.

    Example:
        >>> look = Look(["random", "smart"])
        >>> look.colour("random"), look.line("smart")
        ('#222222', '-')
    """

    def __init__(self, arms: Iterable[str]) -> None:
        self._places = {name: place for place, name in enumerate(dict.fromkeys(arms))}

    def colour(self, arm: str) -> str:
        """Its colour.

        Args:
            arm: Name of the arm.
        """
        place = self._places[arm]
        return INK if place == 0 else _COLOURS[(place - 1) % len(_COLOURS)]

    def line(self, arm: str) -> str:
        """Its line: where the colours run out, other dashes.

        Args:
            arm: Name of the arm.
        """
        return _DASHES[max(self._places[arm] - 1, 0) // len(_COLOURS) % len(_DASHES)]


def figure(columns: int = 1, rows: int = 1, width: float = 9.0, height: float = 3.4, **options: Any) -> tuple[Any, Any]:
    """A figure and its axes, as an array of rows and columns.

    Args:
        columns: Axes side by side.
        rows: Axes on top of each other.
        width: Inches.
        height: Inches.
        **options: As `Figure.subplots` takes them.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False, **options)
    for one in axes.flat:
        clean(one)
    return made, axes


def clean(axes: Axes) -> None:
    """Takes away what carries no information.

    Args:
        axes: Axes to clean.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8)


def legend(axes: Axes, **options: Any) -> None:
    """A legend without a frame, if there is anything to name; below the figure if there is much.

    Args:
        axes: Axes.
        **options: As `Axes.legend` takes them.
    """
    entries = len(axes.get_legend_handles_labels()[0])
    if entries > _INSIDE:
        legend_below(axes.figure, axes)
    elif entries:
        axes.legend(**{"frameon": False, "fontsize": 8} | options)


def legend_below(made: Figure, axes: Axes) -> None:
    """One legend for all panels of a figure, below them.

    Args:
        made: The figure.
        axes: Axes with everything that is to be named.
    """
    handles, labels = axes.get_legend_handles_labels()
    more = -(-len(labels) // _COLUMNS) - _ROWS
    made.set_figheight(made.get_figheight() + max(more, 0) * _ROW)  # many arms must not crowd the panels out
    made.legend(handles, labels, loc="outside lower center", ncols=_COLUMNS, frameon=False, fontsize=8)


def svg(made: Figure, words: str) -> str:
    """The figure as an SVG element that can stand in a page: no prolog, a title for those who cannot see it.

    Args:
        made: The figure.
        words: What it shows.
    """
    from matplotlib import rc_context

    file = io.StringIO()
    # Text stays text (it can be searched and is small), and the same figure gives the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": words}):
        made.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Identifiers are unique within a figure only; the page holds many.
    prefix = f"f{abs(hash_of(words)):x}-"
    text = re.sub(r'(\bid="|href="#|url\(#)', lambda found: found[1] + prefix, text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r'\b(width|height)="[^"]*"', "", opening)
    opening += f' style="max-width: {made.get_figwidth() / _INCHES:.1%}"'
    return f'{opening} role="img" aria-label="{_escaped(words)}"><title>{_escaped(words)}</title>{rest}'


def hash_of(words: str) -> int:
    """A number that is the same in every process.

    Args:
        words: Any text.
    """
    import zlib

    return zlib.crc32(words.encode())


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest, a little further apart.

    Args:
        values: At least one number.
    """
    low, high = min(values), max(values)
    return low - 0.03 * (high - low), high + 0.03 * (high - low)
