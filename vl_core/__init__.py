"""The core of VL-InterpreT: run a vision-language model, keep what happened, measure it."""

from vl_core.example import Example, Region
from vl_core.trace import Trace

__all__ = ["Example", "Region", "Trace"]
