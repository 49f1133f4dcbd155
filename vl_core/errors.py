"""What a user can get wrong, and how we say it.

Every message names what came, what was wanted and what to do. The core raises these; the app shows
them in one place.
"""

from collections.abc import Iterator


class VLError(Exception):
    """Something that the person in front of the screen can put right."""


class ImageError(VLError):
    """A picture that cannot be read or that the model cannot use."""


class TextError(VLError):
    """A question that is empty, too long or unreadable."""


class ModelError(VLError):
    """A model that is not covered, cannot be loaded or does not do what it says."""


class TraceError(VLError):
    """A trace, or a file that should hold one, that breaks its own rules."""


class NameOfNoneError(TraceError, KeyError):
    """A stack or stream by a name that a trace does not have; a KeyError, as of any mapping."""

    __str__ = Exception.__str__  # a KeyError's message would stand in quotes


class DatasetError(VLError):
    """A data set that is damaged, incomplete, not what it says it is, or not safe to open."""


class StatisticError(VLError):
    """A head statistic that is registered or computed in a way that has no meaning."""


class SettingError(VLError):
    """A setting of the server's owner that cannot be followed."""


class EmptySelectionError(VLError):
    """A mean over nothing: none of the tokens was chosen."""


class BudgetError(VLError):
    """More memory asked for than the budget allows."""


class ProjectionError(VLError):
    """Hidden states that cannot be laid out in two dimensions."""


class ComparisonError(VLError):
    """Two traces that cannot be compared: what they show differs in more than what is asked."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised over, what that was raised over, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
