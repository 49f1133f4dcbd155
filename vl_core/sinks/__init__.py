"""Sinks: tokens that take attention whatever is asked, and attention without them.

kinds: what makes a token a sink, each rule in one sentence with its source. finding: which tokens
are, layer by layer, and what falls on them. exclusion: a stack without them as keys, on which every
statistic works. relative: attention divided by that of a neutral prompt.
receiving, activations, order: what the rules look at. Numpy only.
"""

from vl_core.sinks.exclusion import mean_row, without
from vl_core.sinks.finding import Finding, Sink, Sinks, find
from vl_core.sinks.kinds import (
    FIRST,
    KINDS,
    MEASURED,
    OUTLIER_PATCH,
    SPECIAL,
    VISUAL,
    SinkKind,
)
from vl_core.sinks.receiving import Received, received
from vl_core.sinks.relative import NEUTRAL_PROMPT, Relative, relative_attention

__all__ = [
    "FIRST",
    "KINDS",
    "MEASURED",
    "NEUTRAL_PROMPT",
    "OUTLIER_PATCH",
    "SPECIAL",
    "VISUAL",
    "Finding",
    "Received",
    "Relative",
    "Sink",
    "SinkKind",
    "Sinks",
    "find",
    "mean_row",
    "received",
    "relative_attention",
    "without",
]
