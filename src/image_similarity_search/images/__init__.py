"""From a folder to upright RGB pixels.

``formats`` says what counts as a picture, ``walk`` finds the files, ``decode`` reads one. What
reads pictures imports Pillow, so import these modules by name, when they are needed.
"""
