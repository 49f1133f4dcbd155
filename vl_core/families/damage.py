"""Whose fault it is that a checkpoint cannot be loaded: that of its files, or the program's.

Over files that are damaged or contradict each other, transformers and the readers of files raise
whatever they stumble upon. The kind of an error alone tells little: where it was raised does.
"""

from collections.abc import Collection

from safetensors import SafetensorError

# What reading files raises, and what our own code raises over what it finds in them.
_OF_FILES = (KeyError, OSError, SafetensorError, ValueError)
_PACKAGE = __name__.partition(".")[0]


def told(error: Exception, name: str, families: Collection[str]) -> str:
    """What its user is told of an error that was raised while the checkpoint of this name loaded.

    families: the modules of all families, which may lie outside this package.
    """
    module, line = _place(error)
    is_own = module.partition(".")[0] == _PACKAGE or module in families
    if not is_own or isinstance(error, _OF_FILES):
        return f"The checkpoint in {name} cannot be loaded: {error}"
    return (
        f"The program failed on the checkpoint in {name}: {type(error).__name__} in {module}, line "
        f"{line} ({error}). This is a fault of the program, or of a file in a way that it does not "
        "look for; please report it with this sentence, and choose another model meanwhile."
    )


def _place(error: Exception) -> tuple[str, int]:
    """The module and the line where it was raised; functions written in C have none."""
    step = error.__traceback__
    if step is None:
        return "", 0
    while step.tb_next is not None:
        step = step.tb_next
    return str(step.tb_frame.f_globals.get("__name__", "")), step.tb_lineno
