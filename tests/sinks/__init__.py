"""Sinks: tokens that take attention whatever is asked."""
