"""Which layers of a model lie how deep: groups of its variables, from the inputs to the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from batchsel.errors import UserError

_SHOWN = 2
"""Names of layers in a line of the table."""


@dataclass(frozen=True)
class LayerGroups:
    """Groups of the trainable variables of a model, by depth.

    Args:
        names: The layers of each group, in the order of the model's variables.
        of: The group of each variable, in the order of ``model.trainable_variables``.
        sizes: Parameters of each variable, in the same order.
    """

    names: tuple[tuple[str, ...], ...]
    of: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def places(self) -> tuple[float, ...]:
        """Where each group lies, from 0 at the inputs to 1 at the outputs, evenly spaced."""
        return tuple(group / max(len(self.names) - 1, 1) for group in range(len(self.names)))

    def rows(self, rates: Sequence[float] | None = None) -> list[dict[str, Any]]:
        """A row for each group: its number, layers, how many variables and parameters, and its rate.

        Args:
            rates: A learning rate for each group, or None to leave them out.
        """
        rows = []
        for group, names in enumerate(self.names):
            sizes = [size for size, own in zip(self.sizes, self.of, strict=True) if own == group]
            row = {"group": group, "layers": list(names), "variables": len(sizes), "parameters": sum(sizes)}
            rows.append(row if rates is None else {**row, "rate": float(rates[group])})
        return rows

    def table(self, rates: Sequence[float] | None = None) -> str:
        """The rows as text.

        Args:
            rates: As for `rows`.

        Example:
            >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="hidden")])
            >>> model.add(keras.layers.Dense(2, name="outputs"))
            >>> print(layer_groups(model).table([0.1, 0.01]))
            GROUP  LAYERS   VARIABLES  PARAMETERS  RATE
                0  hidden           2          40   0.1
                1  outputs          2          18  0.01
        """
        rows = self.rows(rates)
        lines = [[key.upper() for key in rows[0]]]
        lines += [[_text(key, value) for key, value in row.items()] for row in rows]
        columns = [_aligned(column) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def layer_groups(model: keras.Model, groups: int | None = None) -> LayerGroups:
    """Puts every trainable variable of a model into exactly one group, by the depth of its layer.

    The depth of a layer is the longest path to it from the inputs, in layers that own a trainable weight of at least
    two axes: a kernel, an embedding. Those that own only vectors (normalization, scales) are as deep as what comes
    before them. Parallel branches have paths of their own, a projection beside a block for one; a layer that is used
    several times counts where it comes first. Depths at which there is nothing are left out.

    Models within models are gone through. A layer made of layers that is no model (attention, a recurrent layer and
    its cell) is one step, and all its variables are equally deep: its order inside is not known, and query, key and
    value lie beside each other whatever order they were made in. A subclassed model has no graph; its layers count one
    after the other in the order of ``model.layers``, and weights of its own are as deep as what comes before it.

    Args:
        model: A model that is built.
        groups: Into how many groups of equally many depths to merge them, as nearly as that goes; None for a group
            each.

    Raises:
        UserError: If the model has no trainable variables, or fewer depths than `groups`.

    Example:
        >>> inputs = keras.Input((4,))
        >>> hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(8, name="one")(inputs))
        >>> beside = keras.layers.Dense(8, name="beside")(inputs)
        >>> both = keras.layers.Add()([keras.layers.Dense(8, name="two")(hidden), beside])
        >>> groups = layer_groups(keras.Model(inputs, keras.layers.Dense(2, name="outputs")(both)))
        >>> groups.names, groups.places
        ((('one', 'norm', 'beside'), ('two',), ('outputs',)), (0.0, 0.5, 1.0))
    """
    variables = model.trainable_variables
    if not variables:
        raise UserError(
            "the model has no trainable variables to group. Build it first (give it a keras.Input, or call it on a"
            " batch), and leave some of its layers trainable."
        )
    walk = _Walk()
    walk.model(model, [0])
    # What comes before the first kernel goes with it.
    depths = [max(walk.depths[id(variable)], 1) for variable in variables]
    ranks = {depth: rank for rank, depth in enumerate(sorted(set(depths)))}
    count = _number(groups, len(ranks))
    of = [ranks[depth] * count // len(ranks) for depth in depths]
    names = [[] for _ in range(count)]
    for variable, group in zip(variables, of, strict=True):
        name = walk.names[id(variable)]
        if name not in names[group]:
            names[group].append(name)
    sizes = [int(np.prod(variable.shape)) for variable in variables]
    return LayerGroups(tuple(map(tuple, names)), tuple(of), tuple(sizes))


class _Walk:
    """Goes through a model once, and notes for each variable how deep it lies and whose it is."""

    def __init__(self) -> None:
        self.depths: dict[int, int] = {}
        self.names: dict[int, str] = {}

    def model(self, model: keras.Model, before: list[int], path: str = "") -> list[int]:
        """Depths behind a model's outputs, from those before its inputs."""
        # A Sequential model keeps its graph to itself, and is the chain of its layers.
        nodes = getattr(model, "_nodes_by_depth", None)
        after = self._chain(model.layers, before, path) if nodes is None else self._graph(model, nodes, before, path)
        self._note(model, max(before), path.rstrip("/") or model.name, new=True)
        return after

    def _chain(self, layers: Iterable[keras.Layer], before: list[int], path: str) -> list[int]:
        for layer in layers:
            before = [max(self._step(layer, before, path))]
        return before

    def _graph(self, model: keras.Model, nodes: dict[int, list[Any]], before: list[int], path: str) -> list[int]:
        inputs = keras.tree.flatten(model.inputs)
        if len(before) != len(inputs):
            before = [max(before)] * len(inputs)
        at = {id(tensor): depth for tensor, depth in zip(inputs, before, strict=True)}
        for node in _forwards(nodes):
            if not node.is_input:
                after = self._step(node.operation, [at[id(tensor)] for tensor in node.input_tensors], path)
                if len(after) != len(node.outputs):
                    after = [max(after)] * len(node.outputs)
                at.update((id(tensor), depth) for tensor, depth in zip(node.outputs, after, strict=True))
        return [at[id(tensor)] for tensor in keras.tree.flatten(model.outputs)]

    def _step(self, operation: Any, before: list[int], path: str) -> list[int]:
        """Depths behind one operation of a model, which may be a model itself."""
        if isinstance(operation, keras.Model):
            return self.model(operation, before, f"{path}{operation.name}/")
        if not isinstance(operation, keras.Layer):
            return [max(before)]
        kernels = any(len(variable.shape) > 1 for variable in operation.trainable_variables)
        depth = max(before) + kernels
        self._note(operation, depth, path + operation.name)
        return [depth]

    def _note(self, layer: keras.Layer, depth: int, name: str, new: bool = False) -> None:
        """Notes what is the layer's, where that comes earlier than noted before; with `new`, only what is not noted."""
        for variable in layer.trainable_variables:
            known = self.depths.get(id(variable))
            if known is None or (depth < known and not new):
                self.depths[id(variable)] = depth
                self.names[id(variable)] = name


def _forwards(nodes: dict[int, list[Any]]) -> Iterator[Any]:
    """Keras counts its nodes' depths from the outputs."""
    for depth in sorted(nodes, reverse=True):
        yield from nodes[depth]


def _number(groups: int | None, depths: int) -> int:
    if groups is None:
        return depths
    if not isinstance(groups, int) or isinstance(groups, bool) or not 1 <= groups <= depths:
        raise UserError(f"groups must be a whole number from 1 to {depths}, the depths of this model, got {groups!r}.")
    return groups


def _text(key: str, value: Any) -> str:
    if key == "layers":
        more = len(value) - _SHOWN
        return ", ".join(value[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _aligned(column: Sequence[str]) -> list[str]:
    """Cells of one width: numbers to the right, layers to the left."""
    width = max(map(len, column))
    return [cell.ljust(width) if column[0] == "LAYERS" else cell.rjust(width) for cell in column]
