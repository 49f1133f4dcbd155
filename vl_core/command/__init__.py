"""Command line: one example or a whole data set through a model, and what came of it.

python -m vl_core trace      run a model and keep what its attention did
python -m vl_core score      let a model choose among candidates or sources, or answer, and count
python -m vl_core inspect    what a trace or a data set holds
python -m vl_core export     traces as a database of the original VL-InterpreT
python -m vl_core serve      open the app, with data sets of your own
"""

import argparse
import io
import sys
from collections.abc import Sequence

from vl_core.command import exporting, inspecting, scoring, serving, tracing
from vl_core.errors import VLError

COMMANDS = {
    "trace": tracing,
    "score": scoring,
    "inspect": inspecting,
    "export": exporting,
    "serve": serving,
}
STOPPED = 130  # as a shell reports a program that was interrupted


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that is named; what a user can put right is said in one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack what a data set has
            stream.reconfigure(errors="backslashreplace")
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (VLError, OSError) as error:
        sys.exit(f"python -m vl_core {chosen.command}: {error}")
    except KeyboardInterrupt:
        kept = " What was finished is kept; the same command goes on." * _goes_on(chosen)
        sys.stderr.write(f"\nStopped.{kept}\n")
        sys.exit(STOPPED)


def _goes_on(chosen: argparse.Namespace) -> bool:
    """Whether what was stopped is taken up again by the same command."""
    if chosen.command == "trace":
        return chosen.data is not None
    return chosen.command == "score" and chosen.to is not None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vl_core",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary, _, examples = (module.__doc__ or "").partition("\n\n")
        own = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=summary,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(own)
        own.set_defaults(run=module.run)
    return parser
