"""Numbers of bytes as text."""


def format_bytes(count: int) -> str:
    """Return a number of bytes with a unit, in powers of a thousand, with at most four digits.

    Args:
        count: Bytes.

    Example:
        >>> format_bytes(512), format_bytes(29_515), format_bytes(170_052_171)
        ('512 B', '29.5 kB', '170.1 MB')
    """
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.0f} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
