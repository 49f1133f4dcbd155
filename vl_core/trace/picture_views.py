"""What the views are called in which some models are shown one picture: once whole, once in tiles.

A patch names its view in its table; that of a model with a single view has the name "".
"""

WHOLE = "whole picture"
TILES = "tiles"
