"""`python -m tests.capture.peaks`: what a causal model takes in memory, with capture and without.

Bytes above the loaded model at the peak, each of a process of its own, as JSON: by way, mask and
tokens.
"""

import json
import multiprocessing
import sys
from itertools import product
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaModel

from benchmarks import machine
from benchmarks.decoder import WAYS
from benchmarks.subjects import Subject, prompt
from tests.capture import models

SIZES = (2048, 4096)
WAYS_MEASURED = ("idle", "everything")
MASKS = {"causal": 0, "padded": 3}  # how many tokens are padding


def subject(n_tokens, n_padded):
    """A model of two layers so narrow that a single number for each pair of tokens stands out."""
    sizes = {"num_hidden_layers": 2, "max_position_embeddings": n_tokens}
    config = LlamaConfig(**models.DECODER | sizes, use_cache=False, attn_implementation="sdpa")
    mask = torch.ones(1, n_tokens, dtype=torch.long)
    mask[:, n_tokens - n_padded :] = 0
    inputs = {"input_ids": torch.arange(n_tokens)[None] % 50, "attention_mask": mask}
    return Subject(LlamaModel(config).eval(), inputs, *prompt(n_tokens), "layers", "self_attn")


def run(way, n_tokens, n_padded):
    """A function that runs the model this way."""
    return WAYS[way](subject(n_tokens, n_padded))


def peak(way, n_tokens, n_padded):
    """In MB, after a first small run that loads what is loaded when it is needed."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        run(way, 256, n_padded)()
        measured = run(way, n_tokens, n_padded)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = machine.peak("self")
        measured()
        return machine.peak("self") - before


def main():
    """All of them."""
    torch.set_num_threads(1)  # before any is started: threads do not survive a fork
    found = {}
    for way, (mask, n_padded), n_tokens in product(WAYS_MEASURED, MASKS.items(), SIZES):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            found[f"{way} {mask} {n_tokens}"] = pool.apply(peak, (way, n_tokens, n_padded))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
