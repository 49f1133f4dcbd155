"""Every command that README and docs/data.md print is run as it stands, on small sets."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pytest

from vl_core.command import _parser, head_tables, main, serving
from vl_core.datasets.gallery import GALLERY
from vl_core.datasets.scenes import UNSEEN_SEEDS, __main__, choice_items, sourced_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.scenes.webqa_files import write_webqa

ROOT = Path(__file__).parents[2]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/data.md")}
COMMAND = re.compile(r"(?:^ *|`)(python -m vl_core[^`\n#]*)", re.MULTILINE)
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
    write_webqa(tmp_path / "webqa", sourced_items(UNSEEN_SEEDS, 1, n_sources=5), "val")
    hide(tmp_path / "webqa")
    (tmp_path / "photos").mkdir()
    for entry in GALLERY[:2]:
        entry.example().image.save(tmp_path / "photos" / f"{entry.name}.png")
        (tmp_path / "photos" / f"{entry.name}.txt").write_text("what color is the star?")
    monkeypatch.chdir(tmp_path)
    main(["trace", "--data", "photos", "--limit", "1", "--to", "."])
    return tmp_path


def hide(folder):
    """Put a test split beside the others, of the same questions."""
    told = json.loads((folder / "WebQA_train_val.json").read_text(encoding="utf-8"))
    for one in told.values():
        for what in ("img", "txt"):
            one[f"{what}_Facts"] = one.pop(f"{what}_posFacts") + one.pop(f"{what}_negFacts")
        one["split"] = "test"
    (folder / "WebQA_test.json").write_text(json.dumps(told), encoding="utf-8")


def answer(path):
    """Let a table say that the model wrote answers, where it judged sources."""
    table, facts = head_tables.part(path)
    rows = [row | {"kind": "text", "said": "it is red"} for row in table.to_pylist()]
    head_tables.write(pa.Table.from_pylist(rows), path, facts)


def words(command):
    """Of a command; names are filled in, as a shell and its user do."""
    said = re.sub(r"--count \d+", f"--count {DRAWN}", command.replace("owner/name", "embedded"))
    parts = shlex.split(said)
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
        if "--answers" in arguments:  # the embedded model, which is run here, writes none
            answer(Path(arguments[-1]))
        main(arguments)


def test_every_command_of_the_readme_works_as_it_is_printed(place, monkeypatch):
    """One after another, in one folder."""
    assert len(COMMANDS["README.md"]) == 4
    for command in COMMANDS["README.md"]:
        run(command, monkeypatch)

    assert (place / "run" / "head_statistics.parquet").is_file()


def test_every_command_of_the_page_on_data_sets_gives_what_it_promises(place, monkeypatch, capsys):
    """Tables, scores, submissions, a database, and sets in all shapes."""
    for command in COMMANDS["docs/data.md"]:
        run(command, monkeypatch)

    wanted = (
        *("vcr-traces/head_statistics.parquet", "vcr-traces/predictions.parquet"),
        *("scores.jsonl", "file.csv", "file.json", "database/data.mdb"),
        *(
            "scenes-vcr/val.jsonl",
            "scenes-webqa/WebQA_train_val.json",
            "scenes-folder/metadata.jsonl",
        ),
        *("scenes-webqa-test/WebQA_test.json", "card-vcr.jsonl", "card-webqa.jsonl"),
    )
    assert [one for one in wanted if not (place / one).is_file()] == []
    assert "fluency: not computed" in capsys.readouterr().out
    assert list(place.glob("vcr-traces/traces/*.safetensors"))


def test_the_cells_run():
    """Those of docs/data.md, as they stand."""
    cells = CELL.findall(TEXTS["docs/data.md"])

    found: dict[str, object] = {}
    for cell in cells:
        exec(compile(cell, "docs/data.md", "exec"), found)  # noqa: S102 our own text
    assert found["example"].text
