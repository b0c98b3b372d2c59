"""Style of figures: palette, axes, legends, and rendering as SVG."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from batchsel.analysis.stats.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 9.0
"""Width of a figure that fills the page."""
INK, GRAY, LIGHT = "#222222", "#666666", "#DDDDDD"
# Okabe and Ito's colors, which people with color blindness can tell apart, without the yellow.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Six more, of Paul Tol, where there are more arms than colors and dashes.
_MORE_COLORS = ("#332288", "#882255", "#999933", "#44AA99", "#AA4499", "#661100")
_INSIDE = 8
"""Largest number of legend entries inside a panel."""
_COLUMNS, _ROWS, _ROW = 3, 2, 0.17
"""Legend below a figure: most columns, rows that fit without more height, inches of each further row."""
_HANDLE, _LETTER = 0.6, 0.066
"""Inches that the line of a legend entry and a letter of its label take: labels that are cut say nothing."""
_DASHES = ("-", "--", ":", "-.")


class Palette:
    """Color and line style of each arm, the same in every figure; the baseline is black.

    Args:
        arms: Names, the baseline first.

    Example:
        >>> palette = Palette(["random", "smart"])
        >>> palette.color("random"), palette.line("smart")
        ('#222222', '-')
    """

    def __init__(self, arms: Iterable[str]) -> None:
        self._places = {name: place for place, name in enumerate(dict.fromkeys(arms))}
        many = len(self._places) - 1 > len(_COLORS) * len(_DASHES)
        self._colors = (*_COLORS, *_MORE_COLORS) if many else _COLORS

    def color(self, arm: str) -> str:
        """Return the color of an arm."""
        place = self._places[arm]
        return INK if place == 0 else self._colors[(place - 1) % len(self._colors)]

    def line(self, arm: str) -> str:
        """Return the line style of an arm: other dashes where the colors are used up."""
        return _DASHES[max(self._places[arm] - 1, 0) // len(self._colors) % len(_DASHES)]


def class_colors(count: int) -> list[str]:
    """Return a color for each of some classes, or the same for all where there are more classes than colors.

    Example:
        >>> class_colors(2), len(set(class_colors(10))), len(set(class_colors(100)))
        (['#0072B2', '#D55E00'], 10, 1)
    """
    colors = [*_COLORS, *_MORE_COLORS]
    return colors[:count] if count <= len(colors) else colors[:1] * count


def figure(columns: int = 1, rows: int = 1, width: float = 9.0, height: float = 3.4, **options: Any) -> tuple[Any, Any]:
    """Create a figure and its axes, an array of rows and columns.

    Args:
        columns: Number of columns.
        rows: Number of rows.
        width: Width in inches.
        height: Height in inches.
        **options: Passed to `Figure.subplots`.
    """
    from matplotlib.figure import Figure

    fig: Any = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **options)
    for one in axes.flat:
        clean(one)
    return fig, axes


def panel_figure(panels: int, width: float, height: float, columns: int = 2, **options: Any) -> tuple[Any, list[Any]]:
    """Create a figure with any number of panels, in rows; the rest of the last row stays blank.

    Args:
        panels: Number of panels.
        width: Width of a panel in inches.
        height: Height of a panel in inches.
        columns: Largest number of columns.
        **options: Passed to `Figure.subplots`.

    Example:
        >>> fig, axes = panel_figure(3, width=4.0, height=3.0)
        >>> len(axes), float(fig.get_figwidth()), float(fig.get_figheight())
        (3, 8.0, 6.0)
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    fig, axes = figure(columns, rows, width * columns, height * rows, **options)
    for blank in axes.flat[panels:]:
        blank.set_axis_off()
    return fig, list(axes.flat[:panels])


def log_scale(axis: Any) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks.

    Args:
        axis: x axis or y axis.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    few = high / low < 100
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5) if high / low < 10 else (1, 2, 5) if few else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def bar(axes: Axes, row: float, estimate: Estimate, color: str, text: str) -> None:
    """Draw a value in a row, with its interval as a bar where there is one, and a text above it.

    Args:
        axes: Axes to draw on.
        row: Position on the vertical axis.
        estimate: The value.
        color: Color of the point and the bar.
        text: The text.
    """
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=2)
    axes.plot(estimate.value, row, "o", color=color, markersize=6)
    axes.annotate(
        text, (estimate.value, row), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8, color=INK
    )


def clean(axes: Axes) -> None:
    """Remove spines and ticks that carry no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8)


def legend(axes: Any, **options: Any) -> None:
    """Add a legend without a frame, if there are entries; below the figure if there are many.

    Args:
        axes: Axes with labeled artists.
        **options: Passed to `Axes.legend`.
    """
    entries = len(axes.get_legend_handles_labels()[0])
    if entries > _INSIDE:
        legend_below(axes.figure, axes)
    elif entries:
        axes.legend(**{"frameon": False, "fontsize": 8} | options)


def legend_below(fig: Figure, *axes: Axes) -> None:
    """Add one legend for all panels of a figure below them, with each label once.

    Args:
        fig: The figure.
        *axes: Axes with labeled artists.
    """
    named: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if not named:
        return
    widest = _HANDLE + _LETTER * max(map(len, named))
    columns = max(1, min(_COLUMNS, int(fig.get_figwidth() / widest)))
    more = -(-len(named) // columns) - _ROWS
    fig.set_figheight(fig.get_figheight() + max(more, 0) * _ROW)  # a long legend must not squeeze the panels
    fig.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns, frameon=False, fontsize=8)


def shades(count: int) -> list[Any]:
    """Return colors from dark to light for ordered things, such as times or batch sizes.

    Example:
        >>> len(shades(3))
        3
    """
    from matplotlib import colormaps

    # The far end of the color map is a yellow that is invisible on white.
    return [colormaps["viridis"](0.85 * place / max(count - 1, 1)) for place in range(count)]


def to_svg(fig: Figure, caption: str) -> str:
    """Return a figure as an SVG element for a page: without a prolog, with a title for screen readers.

    Args:
        fig: The figure.
        caption: Caption of the figure.
    """
    from matplotlib import rc_context

    file = io.StringIO()
    # Text stays text (searchable and small), and the same figure has the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": caption}):
        _lay_out_for_svg(fig)
        fig.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Identifiers are unique within one figure only; the page holds many.
    prefix = f"f{zlib.crc32(caption.encode()):x}-"
    text = re.sub(r'(\bid="|href="#|url\(#)', lambda found: found[1] + prefix, text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r'\b(width|height)="[^"]*"', "", opening)
    opening += f' style="max-width: {fig.get_figwidth() / _INCHES:.1%}"'
    return f'{opening} role="img" aria-label="{_escape(caption)}"><title>{_escape(caption)}</title>{rest}'


def _lay_out_for_svg(fig: Figure) -> None:
    """Place the panels as `savefig` would, which draws the whole figure an extra time for it."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine = fig.get_layout_engine()
    if engine is None:
        return
    FigureCanvasSVG(fig)
    fig.set_dpi(72)  # that of all SVG
    engine.execute(fig)
    fig.set_layout_engine(None)  # a draw that is not needed comes before saving wherever there is one


def _escape(caption: str) -> str:
    return caption.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
