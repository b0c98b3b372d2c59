"""Look at the graph of a method: is it a pure function of its arguments, and can XLA compile it?"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from batchsel.errors import shorten
from batchsel.selectors.function import describe

_RANDOM = re.compile(
    r"^(Stateful(?!PartitionedCall)\w+|Parameterized\w+|RandomUniform(Int)?|RandomStandardNormal|RandomShuffle"
    r"|RandomGamma|RandomPoisson(V2)?|TruncatedNormal|Multinomial)$"
)
_ASSIGNMENT = re.compile(r"^(Assign\w*VariableOp|Resource(Scatter|Apply|Sparse|Strided)\w*)$")
_UNSUPPORTED = re.compile(r"trying to compile graph.*?: (\w+) \(No registered", re.DOTALL)
_PYTHON_NAMES = {
    "EagerPyFunc": "tf.py_function",
    "PyFunc": "tf.numpy_function",
    "PrintV2": "tf.print",
    "StringFormat": "tf.print",
    "Timestamp": "tf.timestamp",
}
"""Functions of TensorFlow by the operations that XLA misses in them."""

Operations = Counter[tuple[str, bytes]]
"""Number of operations by kind and, for constants, value."""


def list_operations(graph: Any) -> Operations:
    """Return the operations of a graph and of the functions in it; equal for two traces of a pure function.

    Args:
        graph: A function graph.
    """
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    constants = (node.attr["value"].SerializeToString() if node.op == "Const" else b"" for node in nodes)
    return Counter(zip((node.op for node in nodes), constants, strict=True))


def purity_problem(function: Any, operations: Operations, own: Iterable[Any] = ()) -> str | None:
    """Return how a function depends on more than its arguments, to follow its name in a sentence; None if it does not.

    Args:
        function: The concrete function.
        operations: Its operations.
        own: Variables that it may read: those of the model that is trained.
    """
    handles = {id(variable.handle) for variable in own}
    foreign = [
        tensor for tensor in function.captured_inputs if tensor.dtype == tf.resource and id(tensor) not in handles
    ]
    if foreign:
        return (
            f"uses {_describe_resource(function, foreign[0])} from outside of its state, which is neither reset for"
            " another seed nor saved. Keep its value in the state: init returns it, update returns the new one."
        )
    names = sorted({name for name, _ in operations})
    if any(map(_ASSIGNMENT.match, names)):
        return "changes variables of the model that is trained. Keep what it remembers in its state."
    drawn = next(filter(_RANDOM.match, names), None)
    if drawn is not None:
        return (
            f"draws random numbers that do not follow the seed of the run ({drawn}). Take them from rng, as in"
            " rng.uniform([8]) or rng.permutation(n)."
        )
    return None


def _describe_resource(function: Any, handle: Any) -> str:
    for variable in function.graph.variables:
        if variable.handle is handle:
            return f"the variable {variable.name.split(':')[0]!r} ({describe(variable)})"
    return "a variable or table"


def xla_obstacle(function: Any, specs: Iterable[tf.TensorSpec]) -> str | None:
    """Return the reason for which XLA cannot compile a function, or None if it can.

    The function is translated for XLA, which takes a fraction of a second, and not compiled to machine code.

    Args:
        function: A `tf.function` with ``jit_compile=True``, of tensors.
        specs: Its arguments.
    """
    device = (tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU"))[0].name
    try:
        # Without a device it would draw from the user's global generator to find one; to name it is deprecated.
        with warnings.catch_warnings(action="ignore"):
            function.experimental_get_compiler_ir(*specs)(stage="hlo_serialized", device_name=device)
    except (tf.errors.OpError, ValueError) as error:
        found = _UNSUPPORTED.search(str(error))
        if found is not None:
            return f"XLA has no {_PYTHON_NAMES.get(found[1], found[1])}"
        return f"XLA cannot compile it: {shorten(str(error).partition(': ')[2].splitlines()[0], 120)}"
    return None
