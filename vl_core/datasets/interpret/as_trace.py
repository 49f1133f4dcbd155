"""From a record to what the rest of the program knows: an example, and a trace."""

from dataclasses import replace

import numpy as np

from vl_core.datasets.captured import captured_trace, provenance_of_tensors
from vl_core.datasets.interpret.record import Record
from vl_core.datasets.token_texts import token_table
from vl_core.errors import DatasetError
from vl_core.example import Example, clean_text
from vl_core.trace import Prediction, TokenTable, Trace, TracedExample

# In Stack.head_stats before the name of a statistic that came with a database; export looks for it.
OWN = "custom: "
WAS_RIGHT = "was_right"  # in a trace's preprocessing: what a record said of the model's answer
SEPARATOR = "[SEP]"


def text_of(record: Record) -> str:
    """The words of the text; raises DatasetError if there are none."""
    _, text = _tokens(record)
    if not text:
        raise DatasetError("none of its text tokens is a word, so there is no text to show.")
    return text


def example_of(record: Record) -> Example:
    """The picture and the text, in parts where [SEP] stands between words."""
    return Example(record.picture, text_of(record), breaks=_breaks(_tokens(record)[0]))


def trace_of(record: Record, name: str) -> Trace:
    """What the model did. name: of where it comes from, for reading."""
    example = example_of(record)
    provenance = replace(
        provenance_of_tensors(name, record.dtype),
        preprocessing=record.notes | {WAS_RIGHT: record.was_right},
    )
    trace = captured_trace(
        TracedExample.of(example, example.image),
        _tokens(record)[0],
        record.attention,
        record.hidden_states,
        Prediction.told(),
        provenance,
    )
    return _with_own(trace, record)


def _with_own(trace: Trace, record: Record) -> Trace:
    """The trace with the statistics that came along, under names that are no key of ours."""
    ((name, stack),) = trace.stacks.items()
    own = {f"{OWN}{title}": values for title, values in record.statistics.items()}
    return replace(trace, stacks={name: replace(stack, head_stats={**stack.head_stats, **own})})


def _tokens(record: Record) -> tuple[TokenTable, str]:
    is_image = np.arange(len(record.strings)) >= record.n_text
    tokens, text = token_table(record.strings, is_image, boxes=record.boxes)
    if not text or clean_text(text) == text:
        return tokens, text
    return token_table(record.strings, is_image, clean_text(text), record.boxes)


def _breaks(tokens: TokenTable) -> tuple[int, ...]:
    """Where the first word after each [SEP] begins, those aside after which no word comes."""
    starts = []
    is_after = False
    for text, start in zip(tokens.texts, tokens.spans[:, 0].tolist(), strict=True):
        if text == SEPARATOR:
            is_after = True
        elif start >= 0:
            starts += [start] if is_after and start > 0 else []
            is_after = False
    return tuple(starts)
