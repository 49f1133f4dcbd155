"""WebQA: questions to be answered from pictures with captions and from snippets of text.

Chang et al., "WebQA: Multihop and Multimodal QA", CVPR 2022. The format, the submission and the
metrics are those published at github.com/WebQnA.
"""

from vl_core.datasets.webqa.answers import AnswerFigures, answer_accuracy, answer_figures
from vl_core.datasets.webqa.data_set import WebQA, is_at, opened
from vl_core.datasets.webqa.retrieval import Retrieval, best_threshold, chosen, retrieval
from vl_core.datasets.webqa.submission import Submitted, write_submission

__all__ = [
    "AnswerFigures",
    "Retrieval",
    "Submitted",
    "WebQA",
    "answer_accuracy",
    "answer_figures",
    "best_threshold",
    "chosen",
    "is_at",
    "opened",
    "retrieval",
    "write_submission",
]
