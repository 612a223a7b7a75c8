"""The smallest use: put pictures in ``images/``, a query in ``my_image.jpg``, and run this."""

import sys

from image_similarity_search import ImageSearchError, ImageSimilaritySearch


def main() -> None:
    """Print the five pictures of ``images/`` that look most like ``my_image.jpg``."""
    with ImageSimilaritySearch("images") as searcher:
        for result in searcher.find_similar("my_image.jpg", k=5):
            print(f"{result['score']:.4f}  {result['path']}")


if __name__ == "__main__":
    try:
        main()
    except ImageSearchError as error:  # such as a missing folder: it says what to do
        sys.exit(str(error))
