"""The worked example of docs/families.md runs as it stands there, and is right."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import random_picture
from tests.families import tiny
from tests.families.checks import FamilyChecks
from vl_core import families

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'^```python title="(\S+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the files of the document, and a checkpoint beside them."""
    folder = tmp_path_factory.mktemp("documented")
    for name, code in BLOCK.findall((ROOT / "docs" / "families.md").read_text(encoding="utf-8")):
        (folder / name).write_text(code, encoding="utf-8")
    random_picture((330, 190)).save(folder / "picture.png")
    sys.path.insert(0, str(folder))
    known = dict(families.FAMILIES)
    patchworld = importlib.import_module("patchworld")
    tokenizer = tiny.tokenizer()
    bert = {
        "hidden_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 5,
        "intermediate_size": 24,
        "vocab_size": len(tokenizer),
    }
    model = patchworld.PatchWorld(patchworld.PatchWorldConfig(bert))
    tiny.sharpened(model).save_pretrained(folder / "checkpoint")
    tokenizer.save_pretrained(folder / "checkpoint")
    importlib.import_module("patchworld_family")
    yield folder
    sys.path.remove(str(folder))
    families.FAMILIES.clear()
    families.FAMILIES.update(known)


class TestPatchWorld(FamilyChecks):
    """The checks that the document recommends, with what it says in its last block."""

    question = "is the star red ?"
    pass_rates = {"encoder": 1.0}  # noqa: RUF012

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, written):
        """The checkpoint of the document."""
        return written / "checkpoint"

    def test_the_sequence_is_as_declared(self, trace):
        """Words, the picture token, 4 x 6 patches of a picture squeezed whole."""
        tokens = trace.streams["encoder"].tokens

        assert tokens.texts[:7] == ("is", "the", "star", "red", "?", "picture", "patch 1")
        assert tokens.kinds[5] == "special"
        assert tokens.boxes[-1].tolist() == [275.0, 142.5, 330.0, 190.0]


def test_what_it_prints_is_true(written):
    """The block that uses the family runs by itself and shows tokens, a matrix and the check."""
    found = subprocess.run(
        [sys.executable, "use.py"],
        cwd=written,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert found[0].startswith("('is', 'the', 'star', 'red', '?', 'picture', 'patch 1'")
    assert found[1] == "(30, 30)"
    assert "weights_vs_eager" in found[2]


def test_its_last_block_is_the_class_above(written):
    """What the document says to derive is what is derived here."""
    code = (written / "test_patchworld.py").read_text(encoding="utf-8")

    assert f'question = "{TestPatchWorld.question}"' in code
    assert f"pass_rates = {TestPatchWorld.pass_rates}".replace("'", '"') in code


def test_what_cannot_be_imported_is_no_family():
    """A name that is taken, or a module that is not there, is told at once."""
    with pytest.raises(families.ModelError, match="llava"):
        families.register("llava", "somewhere")
    with pytest.raises(families.ModelError, match="nowhere"):
        families.register("mine", "nowhere.at_all")
