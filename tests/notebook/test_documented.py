"""The cells of docs/notebook.md run one after another as they stand, and give what it says."""

import re
from pathlib import Path

import numpy as np
import pytest

import vl_core

ROOT = Path(__file__).parents[2]
CELL = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the cells have defined, run in a folder of their own."""
    cells = CELL.findall((ROOT / "docs" / "notebook.md").read_text(encoding="utf-8"))
    found: dict[str, object] = {"folder": tmp_path_factory.mktemp("notebook")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found["folder"])
        for cell in cells:
            exec(compile(cell, "docs/notebook.md", "exec"), found)  # noqa: S102 our own text
    return found


def test_the_table_has_a_row_for_each_head(names):
    """With the values of the statistic that the next cell works out anew."""
    table, stack = names["statistics"], names["stack"]

    assert len(table) == stack.n_layers * stack.n_heads
    found = table.set_index(["layer", "head"])["text_to_image_mass"]
    assert found[3, 4] == pytest.approx(names["values"][3, 4], abs=1e-5)


def test_sinks_are_told_left_out_and_divided_by(names):
    """What is left out is what they took, and the rest is divided by what is left."""
    stack, without, found = names["stack"], names["without"], names["found"]
    keys = found.keys()[3]
    content = names["content"]

    weights = np.asarray(stack.weights[3, 4])
    took = weights[content][:, keys].sum(axis=1)
    assert found.removed()[3, 4] == pytest.approx(took.mean(), abs=1e-5)
    assert 0 < found.uniform(content, 3) == pytest.approx(keys.sum() / len(keys))
    left = np.where(keys, 0, weights[content])
    np.testing.assert_allclose(
        np.asarray(without.weights[3, 4])[content], left / (1 - took[:, None]), atol=1e-3
    )
    relative = names["relative"]
    assert np.isfinite(relative.values[stack.keys.is_image]).all()
    assert np.isnan(relative.values[~stack.keys.is_image]).all()


def test_the_figures_show_these_numbers(names):
    """The head map's cells, and what the word gives to the brightest patch."""
    stack, star = names["stack"], names["star"]
    np.testing.assert_allclose(names["head_map"].data[0].z, names["values"], atol=1e-6)

    row = np.asarray(stack.weights[3, 4, star])
    np.testing.assert_allclose(names["looks"], row, atol=1e-6)
    assert names["on_picture"].layout.title.text == "star: layer 4, head 5"


def test_the_view_is_saved_and_shown(names):
    """The file is the page that the frame holds."""
    saved = (names["folder"] / "attention.html").read_text(encoding="utf-8")

    assert saved == names["view"].page
    assert names["view"]._repr_html_().startswith("<iframe")


def test_the_data_set_gives_three_tables(names):
    """The means are those of what was traced."""
    many, by_head = names["many"], names["by_head"]

    assert sorted(set(many["item"])) == ["0", "1", "2"]
    assert len(by_head) == names["stack"].n_layers * names["stack"].n_heads
    one = many[(many["layer"] == 5) & (many["head"] == 7)]["text_to_image_mass"]
    assert by_head["mean"][5, 7] == pytest.approx(sum(one) / 3)


def test_what_it_says_of_other_calls_is_true(names):
    """A stack and a layer to begin with."""
    view = vl_core.notebook.linked_view(names["trace"], "encoder", layer=3)

    assert '"layer": 3,' in view.page
