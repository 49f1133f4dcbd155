"""Checkpoints are told by their model_type, or refused in a sentence."""

import builtins
import json
import shutil
import sys
from collections.abc import Callable
from types import FunctionType

import pytest
from safetensors import SafetensorError

from tests.checkpoints import save_kdvlp
from vl_core import families
from vl_core.errors import ModelError


def test_a_checkpoint_is_loaded_by_its_type(tmp_path):
    """The adapter of the architecture that config.json names."""
    family = families.load(save_kdvlp(tmp_path))

    assert isinstance(family, families.Family)
    assert family.name == "kdvlp"


def test_other_architectures_are_refused_with_what_is_covered(tmp_path):
    """The message says what came and what there is."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "perceiver"}))

    with pytest.raises(ModelError, match=r"'perceiver', which is not covered. Covered: .*kdvlp"):
        families.load(tmp_path)


@pytest.mark.parametrize("found", families.AUTHORS_OWN)
def test_formats_that_need_their_authors_code_are_refused_with_the_one_that_does_not(found):
    """Whoever has such a checkpoint has a covered one within reach."""
    with pytest.raises(ModelError, match=r"its name ends in -hf"):
        families.covered(found, "someone/their-model")


@pytest.mark.parametrize("config", [None, "", "{", "[]", "{}"])
def test_what_is_no_checkpoint_is_refused(tmp_path, config):
    """A folder without a readable config.json holds no model."""
    if config is not None:
        (tmp_path / "config.json").write_text(config)

    with pytest.raises(ModelError):
        families.load(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "cut short", "incomplete"])
def test_damaged_weights_are_refused(tmp_path, damage):
    """No weights, half a file, or weights of another size: never a partly random model."""
    folder = save_kdvlp(tmp_path / "model")
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:5000])
    else:
        smaller = save_kdvlp(tmp_path / "smaller", num_hidden_layers=2)
        shutil.copy(smaller / "model.safetensors", weights)

    with pytest.raises(ModelError, match="cannot be loaded"):
        families.load(folder)


def wrong(kind: type[Exception]) -> Callable[..., None]:
    """A function of a family that does what none should."""

    def load(*_arguments):
        raise kind("ours")

    return load


@pytest.mark.parametrize("kind", [AttributeError, TypeError, IndexError, NameError, RuntimeError])
def test_a_mistake_in_a_family_is_not_taken_for_a_damaged_checkpoint(tmp_path, monkeypatch, kind):
    """It says what failed and where; what was raised is still there for whoever mends it."""
    folder = save_kdvlp(tmp_path)
    monkeypatch.setitem(families.FAMILIES, "kdvlp", __name__)
    monkeypatch.setattr(sys.modules[__name__], "load", wrong(kind), raising=False)

    wanted = (
        rf"^The program failed on .*{kind.__name__} in {__name__}, line \d+ \(ours\)\. .* report"
    )
    with pytest.raises(ModelError, match=wanted) as caught:
        families.load(folder)

    assert "cannot be loaded" not in str(caught.value)
    assert type(caught.value.__cause__) is kind


@pytest.mark.parametrize("kind", [KeyError, OSError, SafetensorError, ValueError])
def test_what_a_family_finds_in_the_files_is_told_of_them(tmp_path, kind):
    """Wherever it is raised: an entry that is missing, say, or a contradiction."""
    with pytest.raises(ModelError, match=r"cannot be loaded: .*ours") as caught:  # noqa: SIM117
        with families.refusing_damage(tmp_path):
            wrong(kind)()

    assert type(caught.value.__cause__) is kind


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("json.decoder", r"cannot be loaded: mixed up$"),
        ("vl_core.families.blip", r"TypeError in vl_core\.families\.blip, line \d+ \(mixed up\)"),
    ],
)
def test_an_error_is_told_by_where_it_was_raised(tmp_path, module, words):
    """A library's, of any kind, of what it made of a file; one of our own code of that code."""

    def entry():
        raise TypeError("mixed up")

    placed = FunctionType(entry.__code__, {**vars(builtins), "__name__": module})

    with pytest.raises(ModelError, match=words), families.refusing_damage(tmp_path):
        placed()


def test_a_family_that_cannot_be_imported_is_told_of(tmp_path, monkeypatch):
    """One of a user's own, which wants what is not installed; no traceback either."""
    (tmp_path / "unfinished_family.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(families.FAMILIES, "kdvlp", "unfinished_family")

    with pytest.raises(
        ModelError, match=r"in unfinished_family, line 1 \(No module named 'no_such"
    ):
        families.load(save_kdvlp(tmp_path / "model"))


def edited(file: str, **entries: object) -> Callable[[dict], str]:
    """A damage: these entries of a JSON file, or of its image processor, are others."""

    def edit(content):
        content.get("image_processor", content).update(entries)
        return json.dumps(content)

    return file, edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            edited("config.json", num_hidden_layers="six"),
            "num_hidden_layers is 'six', wanted a who",
        ),
        (edited("config.json", hidden_size=None), "hidden_size is None, wanted a whole"),
        (edited("config.json", num_attention_heads=0), "num_attention_heads is 0, wanted a whole"),
        (edited("config.json", num_hidden_layers=2), "weights are unexpected"),
        (edited("config.json", num_hidden_layers=4), "weights are missing"),
        (edited("config.json", position_code="x"), "position_code is 'x', wanted one of centred"),
        (edited("config.json", norm_order="x"), "norm_order is 'x', wanted one of pre, post"),
        (edited("config.json", backbone="x"), "backbone is 'x', wanted one of cells, resnet"),
        (edited("config.json", id2label=[]), "list"),
        (edited("processor_config.json", stride=8), "stride is 8 .* 16"),
        (edited("processor_config.json", max_cells=9999), "max_cells is 9999 .* 8"),
        (("processor_config.json", lambda _: "[]"), "list"),
        (("tokenizer_config.json", lambda _: "[]"), "list"),
        (("tokenizer.json", lambda _: "[]"), ""),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, message):
    """Files that are no longer what they were, or that contradict each other, load no model."""
    folder = save_kdvlp(tmp_path)
    file, edit = damage
    path = folder / file
    path.write_text(edit(json.loads(path.read_text())))

    with pytest.raises(ModelError, match=f"cannot be loaded: .*{message}"):
        families.load(folder)
