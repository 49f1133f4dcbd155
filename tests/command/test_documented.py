"""Every command that README and docs/data.md print is run as it stands, on small sets."""

import re
import shlex
from pathlib import Path

import pytest

from vl_core.command import _parser, main, serving
from vl_core.datasets.gallery import GALLERY
from vl_core.datasets.scenes import UNSEEN_SEEDS, __main__, choice_items, sourced_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.scenes.webqa_files import write_webqa

ROOT = Path(__file__).parents[2]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/data.md")}
COMMAND = re.compile(r"(?:^|`)(python -m vl_core[^`\n#]*)", re.MULTILINE)
CELL = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = {
    name: [found.strip() for found in COMMAND.findall(text)] for name, text in TEXTS.items()
}
DRAWN = "2"  # scenes, in the place of hundreds


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the commands name."""
    for split, first in (("val", 0), ("test", 4)):
        write_vcr(tmp_path / "vcr1", choice_items(UNSEEN_SEEDS, first + 4)[first:], split)
    write_webqa(tmp_path / "webqa", sourced_items(UNSEEN_SEEDS, 1, n_sources=5), "test")
    (tmp_path / "photos").mkdir()
    for entry in GALLERY[:2]:
        entry.example().image.save(tmp_path / "photos" / f"{entry.name}.png")
        (tmp_path / "photos" / f"{entry.name}.txt").write_text("what color is the star?")
    monkeypatch.chdir(tmp_path)
    main(["trace", "--data", "photos", "--limit", "1", "--to", "."])
    return tmp_path


def words(command):
    """Of a command; names are filled in, as a shell and its user do."""
    said = command.replace("owner/name", "embedded").replace("--count 200", f"--count {DRAWN}")
    parts = shlex.split(said.replace("--count 100", f"--count {DRAWN}"))
    return [
        one
        for part in parts
        for one in (sorted(map(str, Path.cwd().glob(part))) if "*" in part else [part])
    ]


def run(command, monkeypatch):
    """What it does in this process; the app itself is not started."""
    _, _, module, *arguments = words(command)
    if module == "vl_core.datasets.scenes":
        monkeypatch.setattr("sys.argv", [module, *arguments])
        __main__.main()
    elif arguments[0] == "serve":
        assert serving.settings(_parser().parse_args(arguments))
    else:
        main(arguments)


def test_every_command_of_the_readme_works_as_it_is_printed(place, monkeypatch):
    """One after another, in one folder."""
    assert len(COMMANDS["README.md"]) == 4
    for command in COMMANDS["README.md"]:
        run(command, monkeypatch)

    assert (place / "run" / "head_statistics.parquet").is_file()


def test_every_command_of_the_page_on_data_sets_gives_what_it_promises(place, monkeypatch):
    """Tables, scores, submissions, a database, and sets in all shapes."""
    for command in COMMANDS["docs/data.md"]:
        run(command, monkeypatch)

    wanted = (
        *("vcr-traces/head_statistics.parquet", "vcr-traces/predictions.parquet"),
        *("scores.jsonl", "file.csv", "file.json", "database/data.mdb"),
        *("scenes-vcr/val.jsonl", "scenes-webqa/WebQA_train_val.json", "scenes/val.jsonl"),
    )
    assert [one for one in wanted if not (place / one).is_file()] == []
    assert list(place.glob("vcr-traces/traces/*.safetensors"))


def test_the_cells_run():
    """Those of docs/data.md, as they stand."""
    cells = CELL.findall(TEXTS["docs/data.md"])

    found: dict[str, object] = {}
    for cell in cells:
        exec(compile(cell, "docs/data.md", "exec"), found)  # noqa: S102 our own text
    assert found["example"].text
