"""Reproducible random numbers: integer bits keyed by (seed, stream, step).

TensorFlow's float draws differ between XLA and graph mode, integer bits do not. So every random number
here starts as bits of the counter-based generator Philox, and whatever must be bit-equal
(permutations, offsets) is computed from them with integer arithmetic alone.
"""

from __future__ import annotations

import functools
import math
import operator
import zlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from batchsel.errors import UserError

_ROUNDS = 8
_SIDE = 2**16  # longest side of a grid
_SORTED = 64  # up to here keys are sorted: small grids have too few round functions to mix well


def bits(shape: Sequence[int], seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return uniform 32-bit integers, a pure function of the key (seed, stream, step).

    Args:
        shape: Static shape of the result.
        seed: Seed of the run, an integer scalar.
        stream: Purpose of the numbers; different names give independent numbers.
        step: Step of the draw, a non-negative integer scalar below 2^31.

    Returns:
        ``int32[shape]`` over the full range, equal in eager, graph and XLA mode.

    Example:
        >>> bits([2], seed=0, stream="example", step=0).shape.as_list()
        [2]
    """
    # crc32 fills the upper 32 bits of a 63-bit word and the step the lower 31: no two keys collide.
    key = tf.cast(step, tf.int64) + (zlib.crc32(stream.encode()) << 31)
    key = tf.stack([tf.cast(seed, tf.int64), key])
    return tf.random.stateless_uniform(
        shape,
        key,
        minval=None,  # pyright: ignore[reportArgumentType]  None means the full range
        maxval=None,
        dtype=tf.int32,
        alg="philox",
    )


def uniform(shape: Sequence[int], seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return uniform numbers in the open interval (0, 1), on a grid of 2^-24.

    Args:
        shape: Static shape of the result.
        seed: Seed of the run.
        stream: Name of the stream.
        step: Step of the draw.

    Returns:
        ``float32[shape]``, bit-equal in eager, graph and XLA mode.

    Example:
        >>> u = uniform([1000], seed=0, stream="example", step=0)
        >>> bool(0 < tf.reduce_min(u)) and bool(tf.reduce_max(u) < 1)
        True
    """
    words = tf.bitcast(bits(shape, seed, stream, step), tf.uint32)
    # 23 bits and a half: every value is exact in float32, and neither 0 nor 1 can occur.
    words = tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32)
    return (words + 0.5) * 2.0**-23


def gumbel(shape: Sequence[int], seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return standard Gumbel numbers, -log(-log(u)).

    The logarithm may differ in its last bit between compilers; use `permutation` or integer arithmetic
    where bit-equality matters.

    Args:
        shape: Static shape of the result.
        seed: Seed of the run.
        stream: Name of the stream.
        step: Step of the draw.

    Returns:
        ``float32[shape]``.

    Example:
        >>> gumbel([3], seed=0, stream="example", step=0).dtype.name
        'float32'
    """
    return -tf.math.log(-tf.math.log(uniform(shape, seed, stream, step)))


def integer_below(bound: tf.Tensor, seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return one uniform integer in [0, bound), for a bound up to 2^48 (bias below 2^-14).

    Args:
        bound: ``int64[]``, at least 1.
        seed: Seed of the run.
        stream: Name of the stream.
        step: Step of the draw.

    Returns:
        ``int64[]``.

    Example:
        >>> int(integer_below(tf.constant(1, tf.int64), seed=0, stream="example", step=0))
        0
    """
    words = tf.bitwise.bitwise_and(tf.cast(bits([2], seed, stream, step), tf.int64), (1 << 31) - 1)
    return (words[0] * (1 << 31) + words[1]) % bound


def integers(shape: Sequence[int], bound: int | tf.Tensor, seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return uniform integers in [0, bound), for bounds up to 2^20 (bias below 2^-11).

    Args:
        shape: Static shape of the result.
        bound: At least 1; or ``int32[shape]``, one bound for each.
        seed: Seed of the run.
        stream: Name of the stream.
        step: Step of the draw.

    Returns:
        ``int32[shape]``, equal in eager, graph and XLA mode.

    Example:
        >>> integers([3], 1, seed=0, stream="example", step=0).numpy().tolist()
        [0, 0, 0]
    """
    words = tf.bitwise.bitwise_and(tf.cast(bits(shape, seed, stream, step), tf.int64), (1 << 31) - 1)
    # The upper bits of a 31-bit number times the bound.
    return tf.cast(tf.bitwise.right_shift(words * tf.cast(bound, tf.int64), tf.constant(31, tf.int64)), tf.int32)


def permutation(n: int, seed: tf.Tensor, stream: str, step: tf.Tensor) -> tf.Tensor:
    """Return a random order of 0 ... n-1, without sorting.

    A Feistel network over a grid a x b of n cells, or as few more as possible, maps cells one to one
    onto cells; a cell outside 0 ... n-1 is mapped again until it falls inside (cycle walking: Black and
    Rogaway, *Ciphers with Arbitrary Finite Domains*, 2002). The round function is the 32-bit mixer `lowbias32`
    of C. Wellons. Linear in n, and under XLA on a CPU twenty times faster than sorting random keys.

    Args:
        n: Number of elements, static, at least 1.
        seed: Seed of the run.
        stream: Name of the stream.
        step: Step of the draw.

    Returns:
        ``int32[n]``, equal in eager, graph and XLA mode.

    Example:
        >>> sorted(permutation(5, seed=0, stream="example", step=0).numpy().tolist())
        [0, 1, 2, 3, 4]
    """
    if n <= _SORTED:
        return tf.argsort(bits([n], seed, stream, step), stable=True)
    keys = tf.bitcast(bits([_ROUNDS], seed, stream, step), tf.uint32)
    limit = tf.constant(n, tf.uint32)
    rows, columns = _grid(n)

    cells = tf.cast(tf.range(n), tf.uint32)
    if rows * columns == n:
        return tf.cast(_feistel(cells, keys, rows, columns), tf.int32)

    def walk(cells: tf.Tensor, inside: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cells = tf.where(inside, cells, _feistel(cells, keys, rows, columns))
        return cells, cells < limit

    # The first pass is one of the loop: to trace and compile it apart would take a tenth of the start of small runs.
    cells, _ = tf.while_loop(
        lambda cells, inside: tf.logical_not(tf.reduce_all(inside)), walk, (cells, tf.zeros([n], tf.bool))
    )
    return tf.cast(cells, tf.int32)


@functools.cache
def _grid(n: int) -> tuple[int, int]:
    """Return rows and columns, neither more than about twice the other, with the fewest cells beyond n."""
    root = math.isqrt(n - 1) + 1
    candidates = (rows for rows in range(root, root * 2 // 3, -1) if -(-n // rows) <= _SIDE)
    rows = min(candidates, key=lambda rows: -(-n // rows) * rows)
    return rows, -(-n // rows)


def _feistel(cells: tf.Tensor, keys: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    """Permute the cells of the grid: each half is shifted by a keyed hash of the other."""
    # Constants are made once: each is an operation to trace and to compile.
    sizes = tf.constant(rows, tf.uint32), tf.constant(columns, tf.uint32)
    half, near, *factors = (tf.constant(number, tf.uint32) for number in (16, 15, 0x7FEB352D, 0x846CA68B))

    def mix(words: tf.Tensor) -> tf.Tensor:
        for distance, factor in zip((half, near), factors, strict=True):
            words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, distance)) * factor
        return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, half))

    def shift(values: tf.Tensor, hashes: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return (values + hashes scaled to 0 ... size-1) modulo size, for size at most 2^16."""
        values += tf.bitwise.right_shift(tf.bitwise.right_shift(hashes, half) * size, half)
        return tf.where(values >= size, values - size, values)

    row = cells // sizes[1]
    column = cells - row * sizes[1]
    rounds = tf.unstack(keys)
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        row = shift(row, mix(column + first), sizes[0])
        column = shift(column, mix(row + second), sizes[1])
    return row * sizes[1] + column


class Draws:
    """Count of the draws without a name, each of which has a stream of its own.

    Args:
        scope: Prefix of the streams.

    Example:
        >>> draws = Draws()
        >>> draws.next_stream(), draws.next_stream()
        ('default', 'default/1')
    """

    def __init__(self, scope: str = "") -> None:
        self._scope = scope
        self._count = 0

    def next_stream(self) -> str:
        """Return the stream of the next draw."""
        count, self._count = self._count, self._count + 1
        return f"{self._scope}default" + (f"/{count}" if count else "")


class Rng:
    """Random numbers of one step of a run.

    A name identifies its numbers: the same name gives the same ones again. Draws without a name differ from each
    other within a call of a selector, or of one `Rng`: the first, the second and so on have streams of their own.

    Args:
        seed: Seed of the run, an integer scalar.
        step: The step, an integer scalar.
        scope: Prefix of the stream names, so that two parts with the same stream name get different numbers.
        draws: Count of draws without a name; None to count from here.

    Example:
        >>> rng = Rng(seed=0, step=3)
        >>> rng.permutation(4).shape.as_list()
        [4]
        >>> bool(tf.reduce_all(rng.uniform([8]) == rng.uniform([8])))
        False
    """

    def __init__(self, seed: Any, step: Any, scope: str = "", draws: Draws | None = None) -> None:
        self.seed = seed
        self.step = step
        self.scope = scope
        self._draws = Draws() if draws is None else draws

    def __repr__(self) -> str:
        return f"Rng(seed={self.seed!r}, step={self.step!r}, scope={self.scope!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"rng has no {name!r}; it has {', '.join(_METHODS)}.{_REMEDIES.get(name, '')}")

    def scoped(self, scope: str) -> Rng:
        """Return the random numbers below another prefix, of the same seed and step.

        Args:
            scope: Prefix of the stream names.
        """
        return Rng(self.seed, self.step, scope)

    def bits(self, shape: Sequence[int], stream: str | None = None) -> tf.Tensor:
        """Return uniform ``int32[shape]`` over the full range."""
        return bits(_as_shape(shape), *self._key(stream))

    def uniform(self, shape: Sequence[int], stream: str | None = None) -> tf.Tensor:
        """Return uniform ``float32[shape]`` in (0, 1)."""
        return uniform(_as_shape(shape), *self._key(stream))

    def gumbel(self, shape: Sequence[int], stream: str | None = None) -> tf.Tensor:
        """Return standard Gumbel ``float32[shape]``."""
        return gumbel(_as_shape(shape), *self._key(stream))

    def permutation(self, n: int, stream: str | None = None) -> tf.Tensor:
        """Return a random order ``int32[n]`` of 0 ... n-1."""
        return permutation(_as_count(n), *self._key(stream))

    def integers(self, shape: Sequence[int], bound: int | tf.Tensor, stream: str | None = None) -> tf.Tensor:
        """Return uniform ``int32[shape]`` in [0, bound)."""
        return integers(_as_shape(shape), bound, *self._key(stream))

    def integer_below(self, bound: tf.Tensor, stream: str | None = None) -> tf.Tensor:
        """Return one uniform ``int64[]`` in [0, bound)."""
        return integer_below(bound, *self._key(stream))

    def _key(self, stream: str | None) -> tuple[Any, str, Any]:
        """Return seed, stream and step of the next draw."""
        if stream is not None and not isinstance(stream, str):
            raise UserError(f"the last value of a method of rng is a name, a text; got {stream!r}. {METHODS_OF_RNG}")
        _refuse_loop_bodies(self.seed, self.step)
        return self.seed, self.scope + (self._draws.next_stream() if stream is None else stream), self.step


METHODS_OF_RNG = "Write rng.uniform(shape), rng.integers(shape, bound), rng.permutation(n) or rng.gumbel(shape)."
_METHODS = ("bits", "uniform", "gumbel", "permutation", "integers", "integer_below")
_REMEDIES = {
    "choice": " rng.permutation(n)[:k] draws k different numbers, rng.integers([k], n) with replacement.",
    "normal": " tf.math.ndtri(rng.uniform([k])) draws from the normal distribution.",
    "randint": " rng.integers([k], bound) draws whole numbers.",
    "random": " rng.uniform([k]) draws from (0, 1).",
    "shuffle": " tf.gather(x, rng.permutation(n)) shuffles the n rows of x.",
}
"""Advice for methods of NumPy's generators."""


def _as_shape(shape: Any) -> Any:
    return [shape] if isinstance(shape, int) else shape


def _as_count(n: Any) -> int:
    try:
        return operator.index(n)
    except TypeError:
        raise UserError(
            f"rng.permutation takes a number of elements, an int such as losses.shape[0]; got {type(n).__name__}. To"
            " shuffle a tensor x of n rows: tf.gather(x, rng.permutation(n))."
        ) from None


def _refuse_loop_bodies(seed: Any, step: Any) -> None:
    """Refuse a draw inside of a TensorFlow loop whose key comes from outside: all rounds would get the same numbers."""
    if tf.executing_eagerly():
        return
    home = {id(key.graph) for key in (seed, step) if tf.is_tensor(key) and hasattr(key, "graph")}
    graph: Any = tf.compat.v1.get_default_graph()
    while home and graph is not None and id(graph) not in home:
        if type(graph).__name__ == "WhileBodyFuncGraph":
            raise UserError(
                "rng draws the same numbers in every round of tf.while_loop, tf.map_fn or tf.scan. Draw those of all"
                " rounds before the loop, as in rng.uniform([rounds, 8])."
            )
        graph = getattr(graph, "outer_graph", None)


_call_draws: ContextVar[Draws | None] = ContextVar("_call_draws", default=None)


def call_draws() -> Draws | None:
    """Return the count of draws without a name in the call of a selector under way; None outside of calls."""
    return _call_draws.get()


def count_draws(method: Callable[..., Any], scope: str = "") -> Callable[..., Any]:
    """Return a method that counts draws without a name from its start, unless another such call is under way.

    Args:
        method: The method of a selector, or of a part of one.
        scope: Prefix of their streams, so that two methods that are called at the same step get different numbers.
    """

    @functools.wraps(method)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if _call_draws.get() is not None:
            return method(*arguments, **keywords)
        token = _call_draws.set(Draws(scope))
        try:
            return method(*arguments, **keywords)
        finally:
            _call_draws.reset(token)

    return call
