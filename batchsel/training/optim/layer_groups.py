"""Groups of a model's layers and variables by depth, from the inputs to the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from batchsel.core import keras_private
from batchsel.errors import UserError, show
from batchsel.training.model.layer_names import block_name, layer_labels

NAMED_GROUPS = ("blocks", "stages")
"""Groups by the names of layers."""
_EXAMPLES = {"block": "stage2_block1_convolution1", "stage": "stage2_embedding"}
_LISTED = 2
"""Names of layers in a row of the table."""


@dataclass(frozen=True)
class LayerGroups:
    """Groups of the trainable variables of a model, by depth.

    Args:
        names: The layers of each group, in the order of the model's variables, as `layer_labels` names them.
        indices: The group of each variable, in the order of ``model.trainable_variables``.
        sizes: Parameters of each variable, in the same order.
    """

    names: tuple[tuple[str, ...], ...]
    indices: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def positions(self) -> tuple[float, ...]:
        """Position of each group, evenly spaced from 0 at the inputs to 1 at the outputs."""
        return tuple(group / max(len(self.names) - 1, 1) for group in range(len(self.names)))

    def rows(self, rates: Sequence[float] | None = None) -> list[dict[str, Any]]:
        """Return a row for each group: its number, layers, numbers of variables and parameters, and rate.

        Args:
            rates: A learning rate for each group, or None to leave them out.
        """
        rows = []
        for group, names in enumerate(self.names):
            sizes = [size for size, own in zip(self.sizes, self.indices, strict=True) if own == group]
            row = {"group": group, "layers": list(names), "variables": len(sizes), "parameters": sum(sizes)}
            rows.append(row if rates is None else {**row, "rate": float(rates[group])})
        return rows

    def table(self, rates: Sequence[float] | None = None) -> str:
        """Return the rows as text.

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
        lines += [[_format(key, value) for key, value in row.items()] for row in rows]
        columns = [_align(column) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def layer_groups(model: keras.Model, groups: int | str | None = None) -> LayerGroups:
    """Group every trainable variable of a model by the depth of its layer.

    The depth of a layer is the longest path to it from the inputs, counted in layers that own a trainable weight of at
    least two axes, such as a kernel or an embedding. Layers that own only vectors (normalization, scales) have the
    depth of the layer before them. Parallel branches, such as a projection next to a block, have paths of their own; a
    layer that is used several times counts at its first use. Depths without variables are left out.

    Nested models are traversed. A layer composed of layers that is not a model (attention, a recurrent layer and
    its cell) is one step, and all its variables have the same depth: its inner order is not known, and query, key and
    value are parallel in whatever order they were created. A subclassed model has no graph; its layers form a chain in
    the order of ``model.layers``, and weights of its own have the depth of the layer before it.

    Args:
        model: A built model.
        groups: Number of groups to merge the depths into, as evenly as possible; "blocks" or "stages" for a group for
            each block or stage in the names of layers, such as ``stage2_block1_convolution1``, with layers before the
            first and after the last in groups of their own; None for one group a depth.

    Raises:
        UserError: If the model has no trainable variables, fewer depths than `groups`, or no such names.

    Example:
        >>> inputs = keras.Input((4,))
        >>> hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(8, name="one")(inputs))
        >>> beside = keras.layers.Dense(8, name="beside")(inputs)
        >>> both = keras.layers.Add()([keras.layers.Dense(8, name="two")(hidden), beside])
        >>> groups = layer_groups(keras.Model(inputs, keras.layers.Dense(2, name="outputs")(both)))
        >>> groups.names, groups.positions
        ((('one', 'norm', 'beside'), ('two',), ('outputs',)), (0.0, 0.5, 1.0))
    """
    variables = model.trainable_variables
    if not variables:
        raise UserError(
            "the model has no trainable variables to group. Build it first (give it a keras.Input, or call it on a"
            " batch), and leave some of its layers trainable."
        )
    walk = _Walk()
    walk.visit_model(model, [0])
    # Variables before the first kernel belong to its group.
    depths = [max(walk.depths[id(variable)], 1) for variable in variables]
    if isinstance(groups, str):
        indices = _group_by_name(depths, [walk.names[id(variable)] for variable in variables], groups)
    else:
        ranks = {depth: rank for rank, depth in enumerate(sorted(set(depths)))}
        count = _check_count(groups, len(ranks))
        indices = [ranks[depth] * count // len(ranks) for depth in depths]
    names: list[list[str]] = [[] for _ in range(max(indices) + 1)]
    for variable, group in zip(variables, indices, strict=True):
        name = walk.names[id(variable)]
        if name not in names[group]:
            names[group].append(name)
    sizes = [int(np.prod(variable.shape)) for variable in variables]
    return LayerGroups(tuple(map(tuple, names)), tuple(indices), tuple(sizes))


class _Walk:
    """One traversal of a model, which records the depth and the layer of each variable."""

    def __init__(self) -> None:
        self.depths: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self._labels: dict[int, str] = {}

    def visit_model(self, model: keras.Model, before: list[int], path: str = "") -> list[int]:
        """Return the depths after a model's outputs, from those before its inputs."""
        self._labels |= layer_labels(model)
        nodes = keras_private.list_nodes(model)
        after = self._chain(model.layers, before, path) if nodes is None else self._graph(model, nodes, before, path)
        self._record(model, max(before), path.rstrip("/") or model.name, new=True)
        return after

    def _chain(self, layers: Iterable[keras.Layer], before: list[int], path: str) -> list[int]:
        for layer in layers:
            before = [max(self._step(layer, before, path))]
        return before

    def _graph(self, model: keras.Model, nodes: list[Any], before: list[int], path: str) -> list[int]:
        inputs = keras.tree.flatten(model.inputs)
        if len(before) != len(inputs):
            before = [max(before)] * len(inputs)
        at = {id(tensor): depth for tensor, depth in zip(inputs, before, strict=True)}
        for node in nodes:
            if not node.is_input:
                after = self._step(node.operation, [at[id(tensor)] for tensor in node.input_tensors], path)
                if len(after) != len(node.outputs):
                    after = [max(after)] * len(node.outputs)
                at.update((id(tensor), depth) for tensor, depth in zip(node.outputs, after, strict=True))
        return [at[id(tensor)] for tensor in keras.tree.flatten(model.outputs)]

    def _step(self, operation: Any, before: list[int], path: str) -> list[int]:
        """Return the depths after one operation of a model, which may be a model itself."""
        label = path + str(self._labels.get(id(operation), operation.name))
        if isinstance(operation, keras.Model):
            return self.visit_model(operation, before, f"{label}/")
        if not isinstance(operation, keras.Layer):
            return [max(before)]
        kernels = any(len(variable.shape) > 1 for variable in operation.trainable_variables)
        depth = max(before) + kernels
        self._record(operation, depth, label)
        return [depth]

    def _record(self, layer: keras.Layer, depth: int, name: str, new: bool = False) -> None:
        """Record a layer's variables at the least of their depths; with `new`, only those not yet recorded."""
        for variable in layer.trainable_variables:
            known = self.depths.get(id(variable))
            if known is None or (depth < known and not new):
                self.depths[id(variable)] = depth
                self.names[id(variable)] = name


def _group_by_name(depths: Sequence[int], names: Sequence[str], groups: str) -> list[int]:
    """Return the group of each variable by the block in its layer's name.

    Layers without a block belong to the next one, such as those that make images smaller, but those before the first
    block and those after the last have groups of their own.
    """
    if groups not in NAMED_GROUPS:
        raise UserError(f"groups must be a whole number or one of {', '.join(NAMED_GROUPS)}, got {show(groups)}.")
    kind = groups.removesuffix("s")
    blocks = [block_name(name, kind) for name in names]
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for block, depth in zip(blocks, depths, strict=True):
        if block is not None:
            first[block] = min(depth, first.get(block, depth))
            last[block] = max(depth, last.get(block, depth))
    if not first:
        raise UserError(
            f"no layer of the model names its {kind}, as in {_EXAMPLES[kind]}, so it has no {groups}. Give the number"
            " of groups, or leave groups out for one a depth."
        )
    order = sorted(first, key=lambda block: (first[block], last[block]))
    begin = min(first.values())
    before = next(place for place, block in enumerate(blocks) if block is not None)
    places = []
    for place, (block, depth) in enumerate(zip(blocks, depths, strict=True)):
        # A block that begins with a normalization has the depth of the layer before it.
        if block is None and (depth < begin or (depth == begin and place < before)):
            places.append(-1)
            continue
        following = next((number for number, each in enumerate(order) if last[each] >= depth), len(order))
        places.append(following if block is None else order.index(block))
    ranks = {place: rank for rank, place in enumerate(sorted(set(places)))}
    return [ranks[place] for place in places]


def _check_count(groups: int | None, depths: int) -> int:
    if groups is None:
        return depths
    if not isinstance(groups, int) or isinstance(groups, bool) or not 1 <= groups <= depths:
        raise UserError(f"groups must be a whole number from 1 to {depths}, the depths of this model, got {groups!r}.")
    return groups


def _format(key: str, value: Any) -> str:
    if key == "layers":
        more = len(value) - _LISTED
        return ", ".join(value[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _align(column: Sequence[str]) -> list[str]:
    """Pad cells to one width: numbers to the right, layers to the left."""
    width = max(map(len, column))
    return [cell.ljust(width) if column[0] == "LAYERS" else cell.rjust(width) for cell in column]
