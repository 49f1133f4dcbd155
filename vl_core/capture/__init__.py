"""Run a model once and keep what its attention did, without changing what it does.

interface: the attention function that models are switched to. adapters: how modules that bypass it
come to it; legacy, torch_attention: what these compute by themselves; heads, packed: their parts.
recorder: who is listening. evaluation: one call of it, live. masks: what its mask means; rules:
what stands in for one too large to be formed. tapping: modules that can only be overheard. keeping:
the form that is stored; rounding: what it may lose. places, stacks: from evaluations to the stacks
of a trace. states: hidden states. budget: how much is kept. fidelity, reconstruction: is what was
captured the truth? It is held against the tap; scores, repeating: how that is exact in half
precision. finite: where numbers end. edits: the one room that does change what attention does, for
interventions, and asks for its gradients.
"""

from vl_core.capture.adapters import attach
from vl_core.capture.budget import Estimate, Footprint, Plan
from vl_core.capture.edits import differentiable, editing
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.fidelity import check_numbers, measured_at_load, plain_outputs
from vl_core.capture.places import Place
from vl_core.capture.recorder import Recorder
from vl_core.capture.stacks import Gathering
from vl_core.capture.states import Door, States, doors_of, watch
from vl_core.capture.tapping import recording

__all__ = [
    "Door",
    "Estimate",
    "Evaluation",
    "Footprint",
    "Gathering",
    "Place",
    "Plan",
    "Recorder",
    "States",
    "attach",
    "check_numbers",
    "differentiable",
    "doors_of",
    "editing",
    "measured_at_load",
    "plain_outputs",
    "recording",
    "watch",
]
