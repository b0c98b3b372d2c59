"""Words of texts in any script: lower case, without markup and punctuation, separated by blanks."""

from __future__ import annotations

import html
import unicodedata

_APOSTROPHES = "'’ʼ"
# Scripts that write no blanks between words: each character counts as a word, in Thai, Lao, Khmer and Burmese with its
# vowel signs, which follow it.
_ALONE = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3134F))
_WITH_MARKS = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))


class _Characters(dict[int, str]):
    """Replacements of characters, each looked up once."""

    def __missing__(self, point: int) -> str:
        self[point] = _separated(point)
        return self[point]


def _separated(point: int) -> str:
    character = chr(point)
    kind = unicodedata.category(character)[0]
    if character in _APOSTROPHES:
        return ""
    if kind not in "LNM":
        return " "
    if _within(point, _ALONE):
        return f" {character} "
    return f" {character}" if kind != "M" and _within(point, _WITH_MARKS) else character


def _within(point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= point <= last for first, last in ranges)


_CHARACTERS = _Characters()


def normalize(text: str) -> str:
    """Return a text as words in lower case with single blanks between them.

    HTML entities are replaced, punctuation and symbols separate words, apostrophes are dropped. Characters of scripts
    without blanks (Chinese, Japanese, Thai and others) are words of their own.

    Args:
        text: The text.

    Example:
        >>> normalize("I &amp; my work.I\u2019m Über-glad"), normalize("Мир, МИР!"), normalize("我爱你")
        ('i my work im über glad', 'мир мир', '我 爱 你')
    """
    if "&" in text:
        text = html.unescape(text)
    return " ".join(unicodedata.normalize("NFC", text).lower().translate(_CHARACTERS).split())
