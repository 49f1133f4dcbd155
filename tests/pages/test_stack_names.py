"""Stacks have names that say who looks at whom."""

from dataclasses import replace

from pages.shared.stack_names import all_called, own_stack
from tests.decoders import decoder_trace


def test_stacks_are_called_by_their_streams():
    """In words; one that is not named after its streams keeps its own name."""
    trace = decoder_trace()
    stacks = dict(trace.stacks)
    stacks["second look"] = replace(stacks["language<-vision"], name="second look")

    assert all_called(replace(trace, stacks=stacks)) == {
        "language": "Language",
        "vision": "Vision",
        "language<-vision": "Language looking at vision",
        "second look": "second look",
    }


def test_a_streams_own_stack_is_the_one_in_which_it_looks_at_itself():
    """Whatever the order; else one in which it looks at another, else none."""
    trace = decoder_trace()
    backwards = replace(trace, stacks=dict(reversed(trace.stacks.items())))
    across = replace(trace, stacks={"language<-vision": trace.stacks["language<-vision"]})

    assert own_stack(backwards, "language") == "language"
    assert own_stack(across, "language") == "language<-vision"
    assert own_stack(across, "vision") is None
