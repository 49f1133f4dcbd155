"""A run whose kept rows do not give back the model's own output is marked wherever it is told."""

from dataclasses import replace

import pytest

from pages.shared import about_trace
from tests.builders import random_trace
from vl_core.command.inspecting import described

NAN = float("nan")


def with_error(error, dtype):
    """A trace with this figure, of a model in this precision."""
    trace = random_trace()
    figures = {**trace.provenance.fidelity, "row_reconstruction": error}
    return replace(trace, provenance=replace(trace.provenance, fidelity=figures, dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "error", "bound"),
    [
        ("float32", 0.011, "0.01"),
        ("float32", NAN, "0.01"),
        ("bfloat16", 0.11, "0.1"),
        ("4-bit", NAN, "0.1"),
    ],
)
def test_a_run_that_is_not_what_the_model_did_is_marked(error, dtype, bound):
    """Before the table, and as a line of its own for the command."""
    trace = with_error(error, dtype)

    table = about_trace.fidelity_table(trace.provenance)

    mark, rest = table.split("\n\n")
    assert mark.endswith(f"not what the model did:** row reconstruction exceeds {bound}.")
    assert rest.startswith("| Is what was kept")
    assert f"WARNING   row_reconstruction exceeds {bound}: " in described(trace)


@pytest.mark.parametrize(
    ("dtype", "error"), [("float32", 0.0), ("float32", 0.01), ("float16", 0.03), ("8-bit", 0.1)]
)
def test_a_run_within_its_bound_is_not(error, dtype):
    """What half precision rounds off is no reason."""
    trace = with_error(error, dtype)

    assert about_trace.fidelity_table(trace.provenance).startswith("| Is what was kept")
    assert "WARNING" not in described(trace)


def test_tensors_without_their_model_are_not_marked():
    """Of them nothing was measured."""
    trace = random_trace()
    bare = replace(trace.provenance, fidelity={})

    assert about_trace.fidelity_table(bare) == about_trace.NOT_MEASURED
    assert "WARNING" not in described(replace(trace, provenance=bare))


def test_every_figure_is_explained():
    """Those of the check when a model is loaded, and that of each run."""
    assert set(about_trace.FIDELITY) == {
        "output_on_off", "weights_vs_eager", "layer_on_off", "row_reconstruction",
    }  # fmt: skip
