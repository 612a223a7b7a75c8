"""The pictures that the demo shows what it does with."""
