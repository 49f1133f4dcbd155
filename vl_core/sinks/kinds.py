"""What makes a token a sink: each kind with its rule in one sentence, and where it comes from."""

from dataclasses import dataclass

MASSIVE = 20.0  # times the root mean square of a token's dimensions; tau of Kang et al. 2025
OUTLIER = 3.0  # times the median patch's norm
LIFT = 10.0  # times what the queries would give if they looked at all their keys alike
WHOLE_QUERY = 1.0  # all that one query has to give


@dataclass(frozen=True)
class SinkKind:
    """A rule by which tokens are called sinks.

    key: its name in files and links. name, plural: of one such token, of several. definition: the
    exact rule, in one sentence. source: who described it, and what is not theirs.
    """

    key: str
    name: str
    plural: str
    definition: str
    source: str


SPECIAL = SinkKind(
    "special",
    "special token",
    "special tokens",
    "A token that the model's input format adds (class, separator, chat template, newline, marks "
    "between tiles), however much attention it gets; whether that is more than its share is told "
    "beside it.",
    "Clark et al. 2019, on heads that rest on separators",
)
FIRST = SinkKind(
    "first",
    "first token",
    "first tokens",
    "The first token of a stream if it can look at nothing but itself while the next token can "
    "look at it, as in a decoder.",
    "Xiao et al. 2024, on attention sinks in decoders",
)
VISUAL = SinkKind(
    "visual",
    "visual sink",
    "visual sinks",
    f"A patch that enters the layer with more than {MASSIVE:g} times the root mean square of its "
    "dimensions in one of the dimensions in which a special token or the first token exceeds that "
    "before any layer.",
    "Kang et al. 2025, whose dimensions were listed for one model and are found here; massive "
    "activations: Sun et al. 2024",
)
OUTLIER_PATCH = SinkKind(
    "outlier",
    "outlier patch",
    "outlier patches",
    f"A patch of a vision tower that enters the layer with a norm of more than {OUTLIER:g} times "
    "the median patch's.",
    "Darcet et al. 2024, who picked a cutoff by hand for each model and found outliers about ten "
    "times as large as other patches; the factor is this project's, half of the way on a "
    "logarithmic scale",
)
MEASURED = SinkKind(
    "measured",
    "most-looked-at token",
    "most-looked-at tokens",
    f"A token that receives, as a mean over heads and over the other tokens that may look at it, "
    f"more than {LIFT:g} times what they would give it if they looked at all their keys alike, "
    "and in all more than one token has to give.",
    "this project; the mean over those that may look is the importance score of Gu et al. 2025",
)
KINDS = (SPECIAL, FIRST, VISUAL, OUTLIER_PATCH, MEASURED)
