"""Pictures in object storage, reached through fsspec and its packages for each kind of it."""
