"""The package as installed: cards in the wheel, packages listed, nothing imported too early."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_setup_cfg_lists_every_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {
        str(path.parent.relative_to(ROOT)).replace("/", ".") for path in (ROOT / "batchsel").rglob("__init__.py")
    }
    assert listed == folders | {"batchsel.cards.datasets", "batchsel.cards.experiments"}


@pytest.mark.slow
def test_the_cards_of_the_wheel_are_those_of_the_folders(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for folder in ("datasets", "experiments"):
            cards = {path.name: path.read_bytes() for path in (ROOT / folder).glob("*.toml")}
            prefix = f"batchsel/cards/{folder}/"
            packed = {name.removeprefix(prefix): archive.read(name) for name in names if name.startswith(prefix)}
            assert packed == cards
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"batchsel"}


def test_importing_batchsel_does_not_import_tensorflow():
    code = "import sys, batchsel, batchsel.selectors, batchsel.transforms.augmentation.registry, batchsel.transforms.curricula.registry, batchsel.optimizers.text, batchsel.training; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_can_be_imported():
    import batchsel
    from batchsel import experiments, optimizers, schedules, selectors, training
    from batchsel.transforms import augmentation, curricula

    for package in (batchsel, selectors, schedules, augmentation, curricula, optimizers, training, experiments):
        for name in package.__all__:
            assert getattr(package, name) is not None
        with pytest.raises(AttributeError, match="no attribute"):
            _ = package.nothing
