"""The frame of the benchmarks: what is measured, on what, where it is kept and how it is shown."""
