"""What was run, what of it was kept, and how faithfully, as tables for the overview."""

from collections.abc import Sequence

from pages.shared.layout import escaped
from pages.shared.stack_names import called
from vl_core.counted import counted
from vl_core.trace import Provenance, Stack, Stream, Trace
from vl_core.trace.nouns import image_noun

# What each figure of a trace's fidelity compares, its unit, and what is good.
FIDELITY = {
    "output_on_off": "Largest difference of any output of the model, capture on against off, in "
    "the outputs' own unit; measured when the model was loaded. Wanted: 0.",
    "weights_vs_eager": "Largest share of a row's attention that capture puts elsewhere than the "
    "model's own plain attention, worked out in float32; measured when the model was loaded. Good: "
    "below 1e-5; a model that exceeds 1e-3 is refused.",
    "layer_on_off": "Largest difference between what an attention layer gives with capture on and "
    "what its own code gives on the same input, relative to its size; measured when the model was "
    "loaded. Good: below 1e-5, in half precision below 5e-3; a model that exceeds 1e-4, in half "
    "precision 2e-2, is refused.",
    "row_reconstruction": "Kept weights times values against each layer's own attention output, on "
    "sampled rows of this run, relative to its size. Good: below 2e-3, what half precision rounds "
    "off the queries and keys that are kept; 3e-3 where the model itself runs in bfloat16, 3e-2 "
    "where it rounds large scores besides. A model that exceeds 1e-2 when it is loaded, in half "
    "precision 0.1, is refused.",
}

DOUBTFUL = (
    ":material/warning: **What was kept of this run is not what the model did:** row "
    "reconstruction exceeds {:g}."
)

NOT_MEASURED = (
    "**Is what was kept what the model did?** Not measured: that takes the model itself, and these "
    "tensors came without it."
)


def parts_sentence(trace: Trace) -> str:
    """Which stacks of attention there are: whose attention can be looked at."""
    names = [called(stack) for stack in trace.stacks.values()]
    return f"{len(names)} kinds of attention were kept: {', '.join(names)}."


def parts_table(trace: Trace) -> str:
    """All streams and stacks with their sizes."""
    streams = [(name, *_of_stream(stream)) for name, stream in trace.streams.items()]
    stacks = [(called(stack), *_of_stack(stack)) for stack in trace.stacks.values()]
    return "\n\n".join(
        [
            _table(("Streams of tokens", "tokens", "hidden states"), streams),
            _table(("Attention", "heads", "tokens"), stacks),
        ]
    )


def _of_stream(stream: Stream) -> tuple[str, str]:
    tokens, states = stream.tokens, stream.packed_states.shape
    kinds = {
        "words": tokens.is_text & ~tokens.is_generated,
        image_noun(tokens).many: tokens.is_image,
        "special": tokens.is_special & ~tokens.is_generated,
        "of the answer": tokens.is_generated,
    }
    counts = [f"{mask.sum():,} {kind}" for kind, mask in kinds.items() if mask.any()]
    kept = f"{states[0]}, each {states[2]:,} wide" if states[0] else "none kept"
    return f"{len(tokens):,}: {', '.join(counts)}", kept


def _of_stack(stack: Stack) -> tuple[str, str]:
    heads = f"{counted(stack.n_layers, 'layer')} of {stack.n_heads}"
    count = len(stack.queries)
    if stack.is_self_attention:
        return heads, f"{count:,} on themselves"
    return heads, f"{count:,} on {len(stack.keys):,}"


def no_claim(provenance: Provenance) -> str:
    """What is said of a model that was brought along, or of tensors alone."""
    if not provenance.family:
        return escaped(
            f"{provenance.model_id}: attention and hidden states that a model left elsewhere. No "
            "model ran here, so nothing could be checked against what it did; the statistics of "
            "the heads were computed here, from the weights that were brought."
        )
    return escaped(
        f"{provenance.model_id}, read as a model of the family {provenance.family}. What it is "
        "good for is for its own model card to say; here is what was run, what was kept of it, and "
        "how far what is shown is what it did."
    )


def provenance_table(provenance: Provenance) -> str:
    """Model, weights, number format and libraries."""
    is_local, device = provenance.revision == "local", provenance.device
    rows = {
        "Model": provenance.model_id,
        "Revision": "" if is_local else provenance.revision,
        "Weights (SHA-256)": provenance.weights_hash[:16],
        "Number format": f"{provenance.dtype} on {device}" if device else provenance.dtype,
        **provenance.versions,
    }
    return _table(("Where this comes from", ""), [pair for pair in rows.items() if all(pair)])


def fidelity_table(provenance: Provenance) -> str:
    """Every figure of fidelity with what it compares and what is good; first of all a bad one."""
    if not provenance.fidelity:
        return NOT_MEASURED
    rows = [
        (name.replace("_", " "), f"{value:.1g}", FIDELITY.get(name, ""))
        for name, value in provenance.fidelity.items()
    ]
    table = _table(("Is what was kept what the model did?", "", "0 is perfect"), rows)
    mark = f"{DOUBTFUL.format(provenance.highest)}\n\n" if provenance.is_doubtful else ""
    return mark + table


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(map(escaped, row)) for row in rows]
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *(f"| {one} |" for one in lines)]
    )
