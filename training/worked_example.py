"""Make the trace on which the app opens: `python -m training.worked_example`.

Run it again whenever the shipped weights, the capture or the file format change; a test compares
the shipped trace with a fresh run.
"""

import vl_core
from vl_core.datasets.gallery import GALLERY, WORKED_EXAMPLE


def main() -> None:
    """Trace the gallery's first example with the shipped model and store it."""
    trace = vl_core.load("embedded").trace(GALLERY[0].example())
    trace.save(WORKED_EXAMPLE)
    print(f"{WORKED_EXAMPLE.name}: {WORKED_EXAMPLE.stat().st_size / 1e6:.2f} MB, answer", end=" ")
    print(*(f"{text} {share:.2f}" for text, share in trace.prediction.top[:3]), sep=", ")


if __name__ == "__main__":
    main()
