"""Where examples come from: generated scenes, published data sets and the user's own folders.

    data = datasets.open("my_pictures")     # a folder, a file, or "scenes"
    data.kind, len(data), data[0].text
    data[0].asked[0].options[0].example()   # what a model is given

items                what every data set offers: items, what is asked of each, options
opening, named       which kind lies at a path; the name that its owner gives it
vcr, webqa           the data sets of those names, with their metrics and submissions
interpret            databases of the original VL-InterpreT
arrow                data sets of Hugging Face on disk
tables, folder       JSONL, CSV and Parquet; pictures with a table or a text beside each
tensors              .npz files of a model's own attention, without the model
scenes, generated    scenes of our own; gallery: those on show
rows, row_items      from a table's row to an item; lines, csv_rows, arrow_rows: reading rows
storage, npz         files by name, in a folder or zip, and arrays, without trusting either
captured             from tensors to a trace; token_texts, tensor_record: what they say
boxes                those that are no place in their picture are left out and told of
reading              going through many items of which some are damaged
scored, credit       what a model's scores and answers amount to; score_file: keeping them
submitting           the file for a task's server
fingerprints         whether a set is still the same
quoting              hostile values in messages
whole_files          writing files that are seen whole or not at all
"""

from vl_core.datasets.items import Asked, Dataset, HoldsTraces, Item, Option
from vl_core.datasets.opening import open  # noqa: A004 read as datasets.open

__all__ = ["Asked", "Dataset", "HoldsTraces", "Item", "Option", "open"]
