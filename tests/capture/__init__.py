"""Capture against the models' own eager attention."""
