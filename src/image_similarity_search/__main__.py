"""``python -m image_similarity_search`` is the command line ``iss``."""

from image_similarity_search.cli import main

main()
