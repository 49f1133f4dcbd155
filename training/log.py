"""The log: running means of everything that is counted, to the screen and to a file."""

import json
import time
from collections import deque
from pathlib import Path
from statistics import fmean


class Log:
    """Running means over the last counts of each name; only the first process writes."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        self.path = path
        self.writes = writes
        self.counts: dict[str, deque[float]] = {}
        self.start = time.monotonic()

    def fresh(self) -> "Log":
        """The same file, with nothing counted yet and the clock at zero."""
        return Log(self.path, writes=self.writes)

    def count(self, name: str, values: list[float] | list[bool]) -> None:
        """Add to what `name` is the mean of: the last 300 values."""
        self.counts.setdefault(name, deque(maxlen=300)).extend(values)

    def report(self, title: str, **numbers: float) -> None:
        """One line of JSON in the file, one line for people on the screen."""
        if not self.writes:
            return
        seconds = round(time.monotonic() - self.start)
        means = {name: round(fmean(values), 3) for name, values in self.counts.items() if values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"title": title, "seconds": seconds, **numbers, "means": means}) + "\n"
            )
        listed = " ".join(f"{name} {value:g}" for name, value in (numbers | means).items())
        print(f"{seconds:5d} s  {title}: {listed}", flush=True)
