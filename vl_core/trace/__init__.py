"""What one forward pass leaves behind, in one form for every architecture.

A trace has streams (sequences of tokens with their hidden states) and stacks (the attention of a
stream on itself or on another). Numpy only: a stored trace is read and drawn without torch.

whole               a trace, of streams and stacks; example, provenance: what it is of, and from
stream, tokens      hidden states, and what stands at each position; unpacked: one state at a time
nouns               what the tokens of a picture are called together; picture_views: its views
stack, blocks       the attention of all layers, and what is kept of each
weights             attention from queries and keys; masks, bias: what is added to the scores
files               one file for a trace
"""

from vl_core.trace.bias import DistanceBias
from vl_core.trace.blocks import Block, Kept, KeptNothing, KeptQueriesKeys, KeptWeights
from vl_core.trace.example import TracedExample
from vl_core.trace.masks import Mask
from vl_core.trace.provenance import Prediction, Provenance
from vl_core.trace.stack import Stack
from vl_core.trace.stream import Stream
from vl_core.trace.tokens import TokenTable
from vl_core.trace.weights import Weights
from vl_core.trace.whole import Trace

__all__ = [
    "Block",
    "DistanceBias",
    "Kept",
    "KeptNothing",
    "KeptQueriesKeys",
    "KeptWeights",
    "Mask",
    "Prediction",
    "Provenance",
    "Stack",
    "Stream",
    "TokenTable",
    "Trace",
    "TracedExample",
    "Weights",
]
