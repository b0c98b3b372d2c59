"""MATLAB files: what SciPy wrote is read back, and what ended SciPy's process is refused."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from batchsel.data.formats.matlab import read_matlab
from batchsel.errors import UserError

KINDS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (5, 7), (2, 3, 4, 5), (0, 3)])
def test_arrays_are_those_that_scipy_reads(tmp_path, compress, kind, shape):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(kind)
    others = {"name": "text", "cell": np.array([[1, "a"]], object), "struct": {"a": 1}, "complex": np.eye(2) * 1j}
    savemat(tmp_path / "a.mat", {"before": array + 1, **others, "X": array, "y": np.arange(3)}, do_compression=compress)
    found, expected = read_matlab(tmp_path / "a.mat", ["X", "y"]), loadmat(tmp_path / "a.mat")
    for name, values in found.items():
        assert values.dtype == expected[name].dtype
        np.testing.assert_array_equal(values, expected[name])
    assert list(found) == ["X", "y"]
    for name in (*others, "nothing"):
        with pytest.raises(UserError, match=rf"a\.mat is damaged .*it has no array of real numbers {name}\)"):
            read_matlab(tmp_path / "a.mat", [name])


def test_unknown_type_of_values_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"y": np.arange(4)})
    raw = bytearray((tmp_path / "a.mat").read_bytes())
    assert raw[-40] == 12  # the type of 64-bit numbers
    raw[-40] = 0
    (tmp_path / "a.mat").write_bytes(raw)
    with pytest.raises(UserError, match=r"a\.mat is damaged"):
        read_matlab(tmp_path / "a.mat", ["y"])
