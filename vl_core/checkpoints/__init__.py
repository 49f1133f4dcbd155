"""From the name of a model to a folder with its checkpoint, and what loading it will cost.

    checkpoint = checkpoints.find("dandelin/vilt-b32-finetuned-vqa", tell=print)
    how = checkpoints.loading(checkpoint, "auto")

naming       what a name may be; the embedded checkpoint
resolving    a name -> a folder: embedded, local, or fetched from Hugging Face
hub          what is asked of the hub, in order, before gigabytes travel
listing      the files of a repository
conversion   safetensors for repositories that hold pickles
cache        the local cache of Hugging Face, without network
failures     what goes wrong on the way, in plain words
progress     how far a download is
files        which files of a folder are read, and whether they are whole
hashing      what tells weights apart
sizes        bytes of numbers, and in words
memory       what a checkpoint takes, and whether it fits
demand       the same before it is loaded, for whoever must make room first
telling      what goes wrong while it is loaded, without this machine's folders
devices      where it can run, and what is free there
precision    float32, 16 bits, 8 and 4 bits: arguments for from_pretrained
catalogue    well-known checkpoints to choose from
"""

from vl_core.checkpoints.catalogue import CATALOGUE, Entry, offered
from vl_core.checkpoints.demand import Demand, demand_of
from vl_core.checkpoints.hashing import weights_hash
from vl_core.checkpoints.memory import weights_bytes
from vl_core.checkpoints.naming import EMBEDDED, EMBEDDED_NAME, Checkpoint, is_hub_name
from vl_core.checkpoints.precision import PRECISIONS, Loading, Precision, loading
from vl_core.checkpoints.progress import Tell
from vl_core.checkpoints.resolving import find, find_published, is_cached
from vl_core.checkpoints.sizes import readable
from vl_core.checkpoints.telling import told_by_name

__all__ = [
    "CATALOGUE",
    "EMBEDDED",
    "EMBEDDED_NAME",
    "PRECISIONS",
    "Checkpoint",
    "Demand",
    "Entry",
    "Loading",
    "Precision",
    "Tell",
    "demand_of",
    "find",
    "find_published",
    "is_cached",
    "is_hub_name",
    "loading",
    "offered",
    "readable",
    "told_by_name",
    "weights_bytes",
    "weights_hash",
]
