"""A shared collection does what one in a file does: these tests are those of ``tests/collection``.

They are collected here once more, and get another collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CountingEncoder
from test_disks import (  # noqa: F401 - collected here
    disk,
    plugged,
    test_a_disk_is_known_where_its_root_was_moved,
    test_a_disk_that_is_truly_gone_is_removed,
    test_what_an_unplugged_disk_held_is_kept,
)
from test_filtering import (  # noqa: F401 - collected here
    test_many_queries_share_a_filter,
    test_pages_of_images,
    test_tags_stay_with_an_image,
)
from test_search import (  # noqa: F401 - collected here
    filled,
    test_adding_one_file_makes_it_found,
    test_an_image_of_the_collection_leaves_itself_out,
    test_removed_images_are_not_found,
)
from test_sync import (  # noqa: F401 - collected here
    test_a_bad_file_is_remembered_and_not_tried_again_until_it_changes,
    test_a_changed_file_is_encoded_again_under_its_id,
    test_a_file_moved_onto_another_and_added_replaces_it,
    test_a_file_moved_onto_another_replaces_it,
    test_a_folder_above_a_known_one_takes_it_over,
    test_a_folder_below_a_known_one_is_part_of_it,
    test_a_touched_file_is_not_encoded_again,
    test_an_emptied_folder_may_be_an_unplugged_disk,
    test_indexing_twice_changes_nothing,
    test_names_need_not_be_text,
    test_renumbered_files_are_moves,
    test_swapped_files_are_moves,
    test_vanished_files_leave,
)
from test_traits import (  # noqa: F401 - collected here
    shots,
    test_images_are_found_by_what_their_files_say,
)

from image_similarity_search.collection import Collection


@pytest.fixture
def collection(tmp_path: Path, encoder: CountingEncoder, url: str) -> Iterator[Collection]:
    """An empty shared collection with a counting encoder."""
    index = tmp_path / "index"
    with Collection.open(index, encoder=encoder, catalog=url, create=True) as made:
        yield made
        assert not made.verify(files=False).damaged
