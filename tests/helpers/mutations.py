"""Damage to files, as disks, networks and editors do it."""

from __future__ import annotations

import random


def mutate(raw: bytes, numbers: random.Random) -> bytes:
    """Return bytes with flipped bits, a lost end, swapped, zeroed or repeated blocks, or garbage added."""
    body = bytearray(raw)
    for _ in range(numbers.choice([1, 1, 2, 8])):
        if not body:
            return bytes(body)
        # Headers are short and decide most, so that half of the damage is done to the ends of the file.
        near = min(len(body), numbers.choice([16, 128, len(body), len(body)]))
        at = numbers.choice([numbers.randrange(near), len(body) - 1 - numbers.randrange(near)])
        size = numbers.choice([1, 4, 64, 4096])
        match numbers.randrange(9):
            case 0 | 1:
                body[at] ^= 1 << numbers.randrange(8)
            case 2:
                body[at] = numbers.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 3:
                del body[at:]
            case 4:
                del body[at : at + size]
            case 5:
                body[at : at + size] = bytes(len(body[at : at + size]))
            case 6:
                body[at:at] = body[at : at + size]
            case 7:
                body += numbers.randbytes(size)
            case 8:
                body[at : at + size] = numbers.randbytes(size)
    return bytes(body)
