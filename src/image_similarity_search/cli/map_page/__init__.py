"""The page of ``iss map``: one file that needs nothing else."""
