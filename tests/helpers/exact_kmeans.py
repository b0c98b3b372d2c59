"""One-dimensional k-means by trying all cuts."""

import numpy as np


def exact_groups(values, count):
    """Return the groups of one-dimensional k-means with the least inertia, by trying all cuts of sorted numbers."""
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(float)
    sums = np.append(0, np.cumsum(ordered))
    n = len(values)
    best, starts = np.where(np.arange(n + 1) == 0, 0, -np.inf), []
    for _ in range(count):
        sizes = np.arange(n + 1)[:, None] - np.arange(n + 1)
        gains = np.where(sizes >= 0, best + (sums[:, None] - sums) ** 2 / np.maximum(sizes, 1), -np.inf)
        good = gains >= gains.max(axis=1, keepdims=True) * (1 - 1e-12)
        starts.append(n - np.argmax(good[:, ::-1], axis=1))
        best = gains.max(axis=1)
    groups, end = np.empty(n, int), n
    for group in reversed(range(count)):
        groups[order[starts[group][end] : end]] = group
        end = starts[group][end]
    return groups
