"""Tests of the generated scenes, with a slow reader of their language as an oracle."""
