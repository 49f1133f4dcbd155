"""VCR, Visual Commonsense Reasoning: a film still, a question, four answers and four reasons.

    FOLDER/train.jsonl  val.jsonl  test.jsonl       one question a line; any of the three will do
    FOLDER/vcr1images/  or  vcr1images.zip          pictures, and beside each what is in it

    data = VCR(Path("vcr1/val.jsonl"), tags="name")
    for asked in data[0].asked:                     # "Q->A" and "QA->R"
        scores = [model.score(option.example()) for option in asked.options]

The format as in the data set's own readme ("VCR v1.0 readme, packaged Dec 3, 2018"; Zellers et al.
2019, "From Recognition to Cognition: Visual Commonsense Reasoning").
"""

from vl_core.datasets.vcr.metrics import Accuracy, accuracy
from vl_core.datasets.vcr.rendering import TagStyle
from vl_core.datasets.vcr.submission import write_submission
from vl_core.datasets.vcr.whole import VCR, is_at, opened

__all__ = ["VCR", "Accuracy", "TagStyle", "accuracy", "is_at", "opened", "write_submission"]
