"""What locust sends: searches by id, one after the other over each connection.

``serve_load.py`` starts it, with the number of images in the environment.
"""

from __future__ import annotations

import os
import random

from locust import FastHttpUser, task

_IMAGES = int(os.environ.get("IMAGES", "1"))


class Searcher(FastHttpUser):  # type: ignore[misc]  # its base has no types here
    """One connection."""

    @task  # type: ignore[misc,untyped-decorator,unused-ignore]  # as above
    def search(self) -> None:
        """Search by one of the images."""
        id_ = random.randint(1, _IMAGES)
        self.client.get(f"/v1/collections/load/images/{id_}/similar?k=10", name="similar")
