"""The core of VL-InterpreT: run a vision-language model, keep what happened, measure it.

    model = vl_core.load("embedded")
    trace = model.trace(vl_core.Example("picture.png", "what color is the star?"))

LXMERT and VisualBERT read no pixels but the regions that a detector found, beside the picture:

    found = vl_core.Detections.read("regions.npz")  # or vl_core.Detections(features, boxes)
    trace = model.trace(vl_core.Example("picture.png", "what is this?", detections=found))

It serves the app, a notebook and the command line alike. Data runs one way: example -> family ->
trace -> statistic -> figure. The rooms:

example, pictures   what a model is asked, and reading pictures safely
detections          a detector's regions, for models that read these and no pixels
trace               what one run left: streams of tokens, stacks of attention; files
arrays, errors      the shapes, named once; what a user can get wrong
answers             whether two answers say the same
frozen              making what is shared read-only
shortage            memory that ran out, told from other failures
counted             a number with its noun
progress            how far something is, told to whoever waits
checkpoints         from a model's name to a folder, and what loading it will cost
model               load a checkpoint, run it, get a trace
families            one adapter for each architecture: geometry and prediction
capture             running a model and keeping what its attention did, unchanged and checked
head_stats          a stack -> one number for each head
attribution         what an answer rests on: maps against boxes, relevancy, heads left out
structure           what attention cannot do, whatever was learned; uniform: looking at all alike
projection          hidden states -> two dimensions, with principal_axes and neighbour_maps
neighbours          nearest tokens in the full space, and the gap between modalities
centring            hidden states seen from their mean
sinks               tokens that take attention whatever is asked; attention without them
token_attention     what chosen tokens look at, and what looks at them, by layer and head
attention_matrix    a whole matrix in few enough cells; attention_tables: the same to take away
comparison          two examples, head by head and word by word; comparison_tables: to take away
matched_tokens      which token of one example is which of another
row_slices          long work on rows, some at a time
as_seen             how the picture reached a model, in words
coverage            which part of a picture a model's patches cover
figures             arrays -> Plotly figures
store               traces on disk, keyed by content
linked_view         the picture, the words and what they look at, as the browser draws them
notebook            the linked view in Jupyter, and as a file that needs no server
wire                attention, or the queries and keys behind it, as bytes for the browser
findings            what was measured of the embedded model: accuracy, and what each head is worth
datasets            scenes of our own and other sources of examples
command             python -m vl_core
"""

from typing import TYPE_CHECKING, Any

from vl_core.detections import Detections
from vl_core.example import Example, Region
from vl_core.trace import Trace

if TYPE_CHECKING:
    from vl_core.model import Model

__version__ = "0.1.0"
__all__ = ["Detections", "Example", "Region", "Trace", "__version__", "load"]


def load(name: str = "embedded", **options: Any) -> "Model":  # noqa: ANN401 those of model.load
    """The embedded model, a model of Hugging Face, or a local folder; see vl_core.model.load."""
    # Here and not above: importing the core must not import torch.
    from vl_core import model  # noqa: PLC0415

    return model.load(name, **options)
