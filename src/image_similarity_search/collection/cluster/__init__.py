"""Decoding and encoding on the nodes of a Ray cluster; the catalog stays with who drives it."""
