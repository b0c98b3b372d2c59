"""Tables that notebooks show: of a history, of a record, escaped, and cut where they are long."""

from xml.etree import ElementTree

import numpy as np
from made_up import record_of
from problems import classes, mlp

import batchsel
from batchsel.core.html_table import html_table
from batchsel.experiments.run.parse_record import parse_run


def cells(html):
    """Return the texts of each row of a table."""
    table = ElementTree.fromstring(html)
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_names_are_escaped_and_missing_values_are_dashes():
    assert cells(html_table({"a<b>": [None, 1.23456], "n": ["x & y"]})) == [
        ["a<b>", "n"],
        ["–", "x & y"],
        ["1.235", ""],
    ]


def test_long_tables_show_their_beginning_and_end():
    found = cells(html_table({"epoch": list(range(1, 101))}))
    assert [row[0] for row in found[1:]] == ["1", "2", "3", "4", "5", "6", "…", "95", "96", "97", "98", "99", "100"]


def test_a_history_shows_each_epoch():
    x, y = classes(32)
    history = batchsel.fit(mlp(), x, y, epochs=3, verbose=0)
    head, *rows = cells(history._repr_html_())
    assert head == ["epoch", *history.history]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    np.testing.assert_allclose([float(row[1]) for row in rows], next(iter(history.history.values())), rtol=1e-3)


def test_a_record_shows_where_its_target_was_reached():
    found = dict(cells(parse_run(record_of("smart", 3))._repr_html_())[1:])
    assert found["accuracy>=0.9"] == "after 400 samples, 0.4 s"
    assert found["test accuracy"] == "0.9100"
    assert (
        dict(cells(parse_run(record_of("smart", 3, crossing=None))._repr_html_())[1:])["accuracy>=0.9"] == "not reached"
    )
