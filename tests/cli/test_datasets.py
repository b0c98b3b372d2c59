"""`batchsel datasets`: results on standard output, remarks on standard error, errors raised for main to print."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from data_files import (
    IDX_NAMES,
    Server,
    card_values,
    digit_arrays,
    idx_bytes,
    sha256,
    write_card,
    write_digit_card,
    write_idx_files,
)
from PIL import Image
from range_server import RangeServer

from batchsel import cards, data
from batchsel.cli.commands.datasets import datasets
from batchsel.errors import UsageError, UserError

ARRAYS = digit_arrays()
COMMANDS = ["list", "show", "fetch", "verify", "path"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSEL_DATA", str(tmp_path / "data"))
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(datasets, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def run_json(*arguments):
    values = json.loads(run(*arguments, "--json").stdout)
    assert values["schema"] == 1
    return values


def test_list_shows_every_card(folder):
    result = run("list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == cards.names("datasets")
    assert "55,000" in next(line for line in lines if line.startswith("mnist"))
    assert next(line for line in lines if line.startswith("mnist")).endswith("to be fetched")
    assert next(line for line in lines if line.startswith("iris")).endswith("no files needed")
    assert result.stderr == ""


def test_list_as_json(folder):
    listed = {row["name"]: row for row in run_json("list")["datasets"]}
    assert sorted(listed) == cards.names("datasets")
    assert listed["digits"]["sizes"] == {"train": 1197, "validation": 300, "test": 300}
    assert listed["digits"]["classes"] == 10
    assert listed["mnist"]["found"] is None


def test_a_broken_card_does_not_hide_the_others(folder):
    write_card(folder, card_values("broken", task=None))
    write_card(folder, card_values("lost", loader="nowhere"))
    result = run("list")
    assert "left out broken: the card" in result.stderr
    assert "task: missing key" in result.stderr
    assert "left out lost: unknown loader" in result.stderr
    assert "iris" in result.stdout
    assert "broken" not in result.stdout


def test_show_prints_the_card(folder):
    text = run("show", "fashion_mnist").stdout
    for words in (
        "Fashion-MNIST (fashion_mnist)",
        "28x28x1",
        "T-shirt/top, Trouser",
        "cnn, batches of 64, at most 8 passes",
        "accuracy>=0.91 (medium)",
        "MIT",
        "arXiv:1708.07747",
    ):
        assert words in text
    assert text.count("accuracy>=0.92") == 1


def test_show_as_json_is_the_card(folder):
    values = run_json("show", "spirals")
    card = cards.load("datasets", "spirals")
    assert values["target"] == card.target == "accuracy>=0.98"
    assert values["options"] == {"arms": 2, "turns": 2.0, "noise": 0.02}
    assert values["targets"]["hard"]["reason"] == card.targets["hard"].reason


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_unknown_name_suggests_the_nearest(folder, command):
    with pytest.raises(UsageError, match=r"unknown dataset 'irsi'\. Did you mean 'iris'"):
        run(command, "irsi")


def test_path_needs_no_data(folder):
    assert run("path", "mnist").stdout.strip() == str(folder / "data" / "mnist")
    assert run("path", "mnist", "--data-dir", "here").stdout.strip() == str(Path("here") / "mnist")
    assert run_json("path", "mnist") == {
        "schema": 1,
        "name": "mnist",
        "path": str(folder / "data" / "mnist"),
        "exists": False,
    }


def test_verify_reads_everything(folder):
    write_digit_card(folder, ARRAYS)
    write_idx_files(folder / "data" / "tiny", ARRAYS, packed=True)
    line = run("verify", "tiny").stdout
    assert line.startswith("tiny is right: 40 train, 10 validation, 20 test (idx files; checked: SHA-256 of x_test")
    assert run_json("verify", "tiny")["sizes"] == {"train": 40, "validation": 10, "test": 20}


def test_verify_finds_one_wrong_pixel(folder):
    changed = ARRAYS["x_test"].copy()
    changed[11, 3, 4] ^= 1
    write_digit_card(folder, ARRAYS)
    write_idx_files(folder / "data" / "tiny", ARRAYS | {"x_test": changed}, packed=True)
    with pytest.raises(UserError, match="the content differs from the card: x_test has SHA-256"):
        run("verify", "tiny")


def test_verify_never_downloads(folder):
    with pytest.raises(UserError, match=r"mnist is not in .*Expected the four idx files"):
        run("verify", "mnist")
    assert not (folder / "data").exists()


def test_fetch_downloads_with_progress_on_standard_error(folder):
    server = Server()
    try:
        files = []
        for name, array in ARRAYS.items():
            body = gzip.compress(idx_bytes(array))
            file = f"{IDX_NAMES[name]}.gz"
            files.append({"name": file, "sha256": sha256(body), "urls": [server.add(f"/{file}", body)]})
        write_digit_card(folder, ARRAYS, files=files)
        with pytest.raises(UserError, match="--offline forbids downloading"):
            run("fetch", "tiny", "--offline")
        assert server.asked == []
        result = run("fetch", "tiny")
        assert result.stdout == f"tiny: downloaded files in {folder / 'data' / 'tiny'}\n"
        assert result.stderr.count("downloading ") == 4
        assert run_json("fetch", "tiny")["found"] == "idx files"
        assert len(server.asked) == 4
        run("verify", "tiny")
    finally:
        server.close()


def test_fetch_takes_all_small_sets_at_once(folder):
    result = CliRunner().invoke(datasets, ["fetch", "--all-small", "--offline"])
    assert "data sets were not fetched: " in str(result.exception)
    named = set(str(result.exception).partition("fetched: ")[2].partition(".")[0].split(", "))
    assert {"mnist", "fashion_mnist", "ag_news", "e2e", "sentiment140", "sst2", "tiny_shakespeare"} <= named
    assert not named & {"cifar10", "imagenet100", "cinic10", "iris"}
    result = CliRunner().invoke(datasets, ["fetch"])
    assert isinstance(result.exception, UsageError)
    assert "or --all-small" in str(result.exception)


def test_fetch_continues_after_a_failed_set(folder):
    with RangeServer() as server:
        files = served(server)
        write_digit_card(folder, ARRAYS, files=files)
        result = CliRunner().invoke(datasets, ["fetch", "iris_kaggle", "tiny", "mnist", "iris", "--offline"])
        assert str(result.exception).startswith("3 of 4 data sets were not fetched: iris_kaggle, tiny, mnist.")
        result = CliRunner().invoke(datasets, ["fetch", "iris_kaggle", "tiny", "iris"])
        assert isinstance(result.exception, UserError)
        assert str(result.exception) == "1 of 3 data sets were not fetched: iris_kaggle. See above."
        place = folder / "data"
        assert result.stdout == f"tiny: downloaded files in {place / 'tiny'}\niris: no files needed\n"
        total = sum(file["bytes"] for file in files) / 1000
        assert f"tiny: {total:.1f} kB to be fetched\n" in result.stderr
        assert f"Put Iris.csv there. The folder is {place / 'iris'};" in result.stderr
        rows = json.loads(CliRunner().invoke(datasets, ["fetch", "iris_kaggle", "tiny", "--json"]).stdout)["datasets"]
        assert "Put Iris.csv there" in rows[0]["error"]
        assert rows[1] == {"name": "tiny", "found": "idx files", "path": str(place / "tiny")}


def test_fetch_checks_the_disk_space_of_all_files_first(folder, monkeypatch):
    monkeypatch.setattr(
        "batchsel.data.storage.disk_space.shutil.disk_usage", lambda path: SimpleNamespace(free=10_000_000)
    )
    with pytest.raises(UserError, match=r"mnist needs 11\.6 MB in .*mnist, where 10\.0 MB are free"):
        run("fetch", "mnist")
    assert not (folder / "data").exists()


def test_fetch_stops_at_a_misspelled_name_before_it_begins(folder):
    result = CliRunner().invoke(datasets, ["fetch", "iris", "irsi"])
    assert isinstance(result.exception, UsageError)
    assert result.stdout == ""


def test_list_and_show_report_bytes_to_fetch(folder):
    assert "11.6 MB to be fetched" in run("list").stdout
    rows = {row["name"]: row for row in run_json("list")["datasets"]}
    assert rows["mnist"]["missing_bytes"] == 11_594_722
    assert (rows["iris"]["missing_bytes"], rows["iris_kaggle"]["missing_bytes"]) == (0, None)
    assert "to be put there by hand" in run("list").stdout
    assert "train-images-idx3-ubyte.gz (9.9 MB)" in run("show", "mnist").stdout


def test_verify_names_the_wrong_file(folder):
    with RangeServer() as server:
        write_digit_card(folder, ARRAYS, files=served(server))
        run("fetch", "tiny")
        assert set(run_json("verify", "tiny")["files"].values()) == {"right"}
        place = folder / "data" / "tiny"
        name = f"{IDX_NAMES['x_test']}.gz"
        plain = gzip.decompress((place / name).read_bytes())
        (place / name).write_bytes(gzip.compress(plain, 1))
        assert f"{name} differs from the one on the card, but its content is right." in run("verify", "tiny").stdout
        write_card(folder, card_values("tiny", files=served(server)))
        with pytest.raises(
            UserError, match=rf"tiny does not match its card\. These files differ from the card: .*{name}\. Delete"
        ):
            run("verify", "tiny")
        (place / name).write_bytes(gzip.compress(plain)[:-9])
        with pytest.raises(UserError, match=rf"These files differ from the card: .*{name}\. Delete"):
            run("verify", "tiny")


def served(server):
    """The files of the digits as a card has them, and a server that has them."""
    files = []
    for name, array in ARRAYS.items():
        body = gzip.compress(idx_bytes(array), mtime=0)
        file = f"{IDX_NAMES[name]}.gz"
        urls = [server.add(f"/{file}", body)]
        files.append({"name": file, "sha256": sha256(body), "bytes": len(body), "urls": urls})
    return files


def test_fetch_of_an_embedded_set_has_nothing_to_do(folder):
    assert run("fetch", "iris").stdout == "iris: no files needed\n"


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_help_has_an_example(command, option):
    text = run(*command, option).stdout
    assert "Example:" in text
    assert "batchsel datasets" in text


def test_the_module_is_light():
    # The help of the command line must come at once; what is heavy is imported when it is needed.
    code = (
        "import sys, batchsel.cli.commands.datasets, batchsel.cli.commands.spirals, batchsel.cards, batchsel.cards.schema; "
        "heavy = {'numpy', 'tensorflow', 'keras', 'sklearn', 'pooch', 'matplotlib', 'rich', 'requests'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_data_and_cards_work_without_tensorflow():
    code = (
        "import sys; from batchsel import cards, data; "
        "data.load(cards.load('datasets', 'iris')); sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("name", ["digits", "spirals", "iris"])
def test_show_plots_samples(folder, name):
    result = run("show", name, "--plot", "picture.png")
    assert "figure: picture.png" in result.stderr
    with Image.open(folder / "picture.png") as picture:
        assert picture.size[0] > 800
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    with pytest.raises(UsageError, match="--plot writes .png or .svg"):
        run("show", name, "--plot", "picture.gif")


@pytest.mark.parametrize("name", ["./mine.csv:kind", "./mine.npz"])
def test_show_plots_data_without_a_card(folder, name):
    x = np.arange(120, dtype=np.float32).reshape(40, 3)
    np.savez(folder / "mine.npz", x=x, y=np.arange(40) % 2)
    lines = [f"{a},{b},{c},{row % 2}" for row, (a, b, c) in enumerate(x)]
    (folder / "mine.csv").write_text("a,b,c,kind\n" + "\n".join(lines))
    assert "figure: picture.png" in run("show", name, "--plot", "picture.png").stderr


def test_texts_without_a_card_are_read_quietly(folder):
    texts = [f"{'good' if row % 2 else 'bad'} film number {row},{row % 2}" for row in range(40)]
    (folder / "mine.csv").write_text("text,stars\n" + "\n".join(texts))
    command = [sys.executable, "-m", "batchsel", "datasets", "show", "./mine.csv:stars"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_verify_counts_test_samples_in_the_training_part(folder):
    found = run_json("verify", "iris")["also in training"]
    dataset = data.load(cards.load("datasets", "iris"))
    for name, part in (("validation", dataset.validation), ("test", dataset.test)):
        same = (part.x[:, None] == dataset.train.x[None]).all(axis=2).any(axis=1)
        assert found[name] == same.sum()
    assert sum(found.values()) > 0
    assert "samples also occur in the training part" in run("verify", "iris").stdout


def test_verify_says_what_it_did_not_compare(folder):
    # The card has hashes of another form of the data: nothing of this one is compared.
    values = card_values("tiny", content={"jpeg_train": "0" * 64, "jpeg_test": "1" * 64})
    write_card(folder, values)
    black = ARRAYS | {"x_train": ARRAYS["x_train"] * 0, "x_test": ARRAYS["x_test"] * 0}
    write_idx_files(folder / "data" / "tiny", black, packed=True)
    line = run("verify", "tiny").stdout
    assert "right" not in line
    assert line.startswith("tiny is whole: 40 train, 10 validation, 20 test (idx files). Its content is not compared")
    assert run_json("verify", "tiny")["checked"] == []
