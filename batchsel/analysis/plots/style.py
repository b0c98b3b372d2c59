"""How figures look: one palette, one color an arm in all figures, and SVG or PNG out of them."""

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
INK, GRAY, LIGHT = "#222222", "#666666", "#DDDDDD"
# Okabe and Ito's colors, which people with color blindness can tell apart, without the yellow.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INSIDE = 8
"""More entries are not put inside of a panel."""
_COLUMNS, _ROWS, _ROW = 3, 2, 0.17
"""Of a legend below a figure: columns, rows that there is room for, inches of a row more."""
_DASHES = ("-", "--", ":", "-.")


class Palette:
    """A color and a line of each arm, the same in every figure; the baseline is black.

    Args:
        arms: Names, the baseline first.

    Example:
        >>> palette = Palette(["random", "smart"])
        >>> palette.color("random"), palette.line("smart")
        ('#222222', '-')
    """

    def __init__(self, arms: Iterable[str]) -> None:
        self._places = {name: place for place, name in enumerate(dict.fromkeys(arms))}

    def color(self, arm: str) -> str:
        """Its color.

        Args:
            arm: Name of the arm.
        """
        place = self._places[arm]
        return INK if place == 0 else _COLORS[(place - 1) % len(_COLORS)]

    def line(self, arm: str) -> str:
        """Its line: where the colors run out, other dashes.

        Args:
            arm: Name of the arm.
        """
        return _DASHES[max(self._places[arm] - 1, 0) // len(_COLORS) % len(_DASHES)]


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


def many(panels: int, width: float, height: float, columns: int = 2, **options: Any) -> tuple[Any, list[Any]]:
    """A figure of any number of panels, in rows; places that are left over stay blank.

    Args:
        panels: How many.
        width: Inches of one.
        height: Inches of one.
        columns: At most so many side by side.
        **options: As `Figure.subplots` takes them.

    Example:
        >>> made, axes = many(3, width=4.0, height=3.0)
        >>> len(axes), float(made.get_figwidth()), float(made.get_figheight())
        (3, 8.0, 6.0)
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    made, axes = figure(columns, rows, width * columns, height * rows, **options)
    for blank in axes.flat[panels:]:
        blank.set_axis_off()
    return made, list(axes.flat[:panels])


def log_scale(axis: Any) -> None:
    """A logarithmic axis whose ticks are plain numbers.

    Args:
        axis: The x axis or the y axis of some axes.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    few = high / low < 100
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5) if high / low < 10 else (1, 2, 5) if few else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def bar(axes: Axes, row: float, estimate: Any, color: str, text: str) -> None:
    """A value in a row, with its interval as a bar where there is one, and its number above it.

    Args:
        axes: Axes.
        row: Place on the vertical axis.
        estimate: An `Estimate`.
        color: Its color.
        text: The number.
    """
    if estimate.low is not None:
        axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=2)
    axes.plot(estimate.value, row, "o", color=color, markersize=6)
    axes.annotate(
        text, (estimate.value, row), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8, color=INK
    )


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


def legend_below(made: Figure, *axes: Axes) -> None:
    """One legend for all panels of a figure, below them; a name that several panels have stands in it once.

    Args:
        made: The figure.
        *axes: Axes with everything that is to be named.
    """
    named: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if not named:
        return
    more = -(-len(named) // _COLUMNS) - _ROWS
    made.set_figheight(made.get_figheight() + max(more, 0) * _ROW)  # many arms must not crowd the panels out
    made.legend(
        list(named.values()), list(named), loc="outside lower center", ncols=_COLUMNS, frameon=False, fontsize=8
    )


def shades(count: int) -> list[Any]:
    """Colors from dark to light of things that have an order, such as moments or batch sizes.

    Args:
        count: How many.

    Example:
        >>> len(shades(3))
        3
    """
    from matplotlib import colormaps

    # The far end of the map is a yellow that cannot be seen on white.
    return [colormaps["viridis"](0.85 * place / max(count - 1, 1)) for place in range(count)]


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
