"""Stacks and traces whose sinks are known because they were put there."""

from dataclasses import replace

import numpy as np

from tests.builders import (
    random_example,
    random_provenance,
    random_stack,
    random_stream,
    random_tokens,
    random_two_stream_trace,
)
from vl_core.trace import Block, KeptWeights, Mask, Prediction, Stack, Stream, Trace

TWO_STREAMS = random_two_stream_trace()

# Every way of keeping attention, each of sizes that differ on every axis.
STACKS = {
    "weights": random_stack(1),
    "queries and keys": random_stack(2, kept="queries_keys"),
    "causal": random_stack(3, mask="causal", kept="queries_keys"),
    "causal weights": random_stack(4, mask="causal"),
    "sliding": random_stack(5, mask="sliding", kept="queries_keys"),
    "windows": random_stack(6, windows=3, kept="queries_keys"),
    "windows of weights": random_stack(7, windows=2),
    "padded": random_stack(8, queries=random_tokens(4, 2, 3, padding=2)),
    "grouped": random_stack(9, heads=6, key_heads=2, kept="queries_keys", softcap=5.0),
    "causal and padded": TWO_STREAMS.stacks["language"],
    "vision windows": TWO_STREAMS.stacks["vision"],
    "cross": TWO_STREAMS.stacks["language<-vision"],
}


def stack_of(weights, tokens, keys=None, mask=None):
    """A stack of these weights, layer x head x query x key."""
    keys = keys or tokens
    positions = np.arange(len(tokens)), np.arange(len(keys))
    blocks = tuple(
        (Block(*positions, KeptWeights(layer.astype(np.float16), mask or Mask())),)
        for layer in weights
    )
    names = ("encoder",) * 2 if keys is tokens else ("language", "vision")
    name = "encoder" if keys is tokens else "language<-vision"
    return Stack(name, *names, tokens, keys, tuple(range(len(blocks))), blocks)


def trace_of(stack, hidden_states=None):
    """A trace of this stack alone; without hidden states, none were kept."""
    tables = {stack.key_stream: stack.keys, stack.query_stream: stack.queries}
    streams = {
        name: Stream.of(
            name, table, np.zeros((0, len(table), 0)) if hidden_states is None else hidden_states
        )
        for name, table in tables.items()
    }
    return Trace(
        random_example(),
        streams,
        {stack.name: replace(stack, regions=random_example().regions)},
        Prediction("answer", (("yes", 1.0),)),
        random_provenance(),
    )


def states_of(tokens, *, states=4, width=450, seed=0):
    """Hidden states in which nothing stands out."""
    stream = random_stream(tokens=tokens, states=states, width=width, seed=seed)
    return stream.hidden_states


def allowed_without(stack, layer, dropped):
    """Query x key: what may be looked at when these keys are left out, and padding with them."""
    return stack.allowed(layer) & ~dropped & ~stack.keys.is_padding


def renormalised(stack, layer, dropped):
    """Head x query x key without these keys, one row at a time, in float64."""
    weights = stack.weights[layer].astype(np.float64)
    allowed = allowed_without(stack, layer, dropped)
    for head in range(stack.n_heads):
        for query in range(len(stack.queries)):
            row = np.where(allowed[query], weights[head, query], 0)
            weights[head, query] = row / row.sum() if row.sum() > 0 else 0
    return weights
