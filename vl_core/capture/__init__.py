"""Run a model once and keep what its attention did, without changing what it does.

interface: the attention function that models are switched to. recorder: who is listening.
evaluation: one call of it, live. masks: what its mask means. keeping: the form that is stored.
stacks: from evaluations to the stacks of a trace. fidelity: is what was captured the truth? edits:
the one room that does change what attention does, for interventions, and asks for its gradients.
"""

from vl_core.capture.edits import differentiable, editing
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.fidelity import measured_at_load, row_reconstruction
from vl_core.capture.interface import attach
from vl_core.capture.recorder import Recorder, recording
from vl_core.capture.stacks import Place, stacks

__all__ = [
    "Evaluation",
    "Place",
    "Recorder",
    "attach",
    "differentiable",
    "editing",
    "measured_at_load",
    "recording",
    "row_reconstruction",
    "stacks",
]
