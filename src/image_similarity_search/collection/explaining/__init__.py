"""Why two pictures are alike: which places of each count for it."""
