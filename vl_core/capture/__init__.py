"""Run a model once and keep what its attention did, without changing what it does.

interface: the attention function that models are switched to. adapters: how modules that bypass it
come to it. recorder: who is listening. evaluation: one call of it, live. masks: what its mask
means. keeping: the form that is stored. places, stacks: from evaluations to the stacks of a trace.
states: hidden states. budget: how much is kept. fidelity, reconstruction and tap: is what was
captured the truth? edits: the one room that does change what attention does, for interventions,
and asks for its gradients.
"""

from vl_core.capture.adapters import attach
from vl_core.capture.budget import Estimate, Footprint, Plan
from vl_core.capture.edits import differentiable, editing
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.fidelity import measured_at_load
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
    "differentiable",
    "doors_of",
    "editing",
    "measured_at_load",
    "recording",
    "watch",
]
