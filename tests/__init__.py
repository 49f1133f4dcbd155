"""The tests: one module for each module of the project, and what they share."""

from beartype import BeartypeConf, beartype

# What conftest.py checks types with: by PEP 484 a whole number passes for a float.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
