"""Pictures are opened in the formats of their suffixes, and in no other that Pillow knows."""

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from batchsel.data.builders.image_files import decode_image_file
from batchsel.data.formats.jpeg import decode_jpegs
from batchsel.data.user.image_folder import load_image_folder
from batchsel.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX", "TGA"])
def test_other_formats_behind_the_suffix_of_a_picture_are_not_opened(tmp_path, monkeypatch, kind):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), "red").save(path, format=kind)
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("a program was run"))
    with pytest.raises(UserError, match=r"a\.png cannot be decoded"):
        decode_image_file(path, (8, 8, 3))
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    with pytest.raises(UserError, match="image 0 cannot be decoded"):
        decode_jpegs(raw, np.array([0, len(raw)]), (8, 8, 3), "mine")
    for place in range(40):
        picture = tmp_path / "pictures" / "xy"[place % 2] / f"{place:02}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (place, place, 7)).save(picture)
    path.replace(tmp_path / "pictures" / "x" / "00.png")
    with pytest.raises(UserError, match=r"1 of 40 images cannot be decoded: .*00\.png"):
        load_image_folder(str(tmp_path / "pictures"))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".gif", ".webp", ".tiff", ".ppm", ".pgm"])
def test_formats_of_pictures_are_opened(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("L" if suffix == ".pgm" else "RGB", (8, 8), "white").save(path)
    assert decode_image_file(path, (8, 8, 3)).min() > 250
