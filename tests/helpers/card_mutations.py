"""Mutations of texts and cards, the same for the same random numbers."""

import copy

ODD = [
    "",
    " ",
    "x",
    "9" * 4000,
    "1e400",
    "loss_ema",
    "divbs(pool=9)",
    "mlp(hidden=[[1]])",
    "(" * 200,
    "\0",
    "a" * 5000,
    "√",
]
WRONG = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63 - 1,
    1e300,
    float("inf"),
    float("nan"),
    [],
    [[1]],
    {},
    {"a": 1},
    ["x", 1],
    *ODD,
]
LETTERS = "()[]{}|,='\"0123456789.-_eE xn\\\n\0√"


def mutate_text(text, random):
    """Return a text with one to three characters or pieces removed, doubled, replaced or added."""
    for _ in range(random.randint(1, 3)):
        place, width = random.randint(0, len(text)), random.choice([0, 0, 1, 1, 2, 5])
        middle = random.choice(["", random.choice(LETTERS), random.choice(ODD), text[place : place + width] * 2])
        text = text[:place] + middle + text[place + width :]
    return text


def mutate_values(values, random):
    """Return a card with one value replaced, removed, moved, renamed or mutated as a text."""
    values = copy.deepcopy(values)
    tables = list(_tables(values))
    table = random.choice(tables)
    key = random.choice(list(table)) if isinstance(table, dict) else random.randrange(len(table))
    kind = random.choice(["wrong", "wrong", "remove", "rename", "text", "other"])
    if kind == "remove":
        del table[key]
    elif kind == "rename" and isinstance(table, dict):
        table[key + "x"] = table.pop(key)
    elif kind == "text" and isinstance(table[key], str):
        table[key] = mutate_text(table[key], random)
    elif kind == "other":
        table[key] = copy.deepcopy(random.choice(tables))
    else:
        table[key] = copy.deepcopy(random.choice(WRONG))
    return values


def _tables(values):
    """Yield all tables and lists in a value that are not empty, itself included."""
    if values:
        yield values
        for value in values.values() if isinstance(values, dict) else values:
            if isinstance(value, dict | list):
                yield from _tables(value)
