"""How fast the app is and what it weighs: `python -m benchmarks` prints all of it.

One module for each subject; each has `figures()`, which yields what it measured. Nothing here is a
test: the figures depend on the machine, whose facts are printed beside them.
"""
