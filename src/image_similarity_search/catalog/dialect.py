"""Where SQLite and PostgreSQL say the same in other words; every other statement does for both.

A list of values is one parameter in either: an array in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """Pieces of statements.

    Attributes:
        by_generation: read ``images`` by the index over indexed ones.
        by_skipped: read ``images`` by the index over skipped ones.
        as_table: read the table itself, and no index of it.
        in_ids: whether what stands before is among the ids in a list.
        in_names: whether it is among the names in a list, as bytes.
        next_folder: a statement that gives an id for a new folder.
        last_id: a statement that gives the greatest id that an image ever had.
        joined_ids: all values of ``id`` as one text, with commas between.
        in_place: whether a row of ``images`` has its place: see ``values.displaced_name``.
        displaced: whether it has none, in the words that ``newer_indexes`` are for.
        name_like: whether its name is like a pattern, in whichever case its ASCII letters are.
        maybe_tagged: whether it may have tags, in the words that ``newer_indexes`` are for.
        tagged: whether it has a tag, where it may have some.
        tag_counts: a statement that counts the indexed images of each tag, in order of the tags.
        camera: whether a row of ``traits`` names a camera that has a text in it.
        coloured: whether it has a colour.
        newer_indexes: statements that make the indexes which a catalog of the present format may
            lack, where this user may; nothing but time depends on them.
    """

    by_generation: str
    by_skipped: str
    as_table: str
    in_ids: str
    in_names: str
    next_folder: str
    last_id: str
    joined_ids: str
    in_place: str
    displaced: str
    name_like: str
    maybe_tagged: str
    tagged: str
    tag_counts: str
    camera: str
    coloured: str
    newer_indexes: tuple[str, ...]


SQLITE = Dialect(
    by_generation="INDEXED BY images_by_generation",
    by_skipped="INDEXED BY images_skipped",
    as_table="NOT INDEXED",
    in_ids="IN (SELECT value FROM json_each(?))",
    in_names="IN (SELECT CAST(value AS BLOB) FROM json_each(?))",
    next_folder="SELECT coalesce(max(id), 0) + 1 FROM folders",
    last_id="SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'images'",
    joined_ids="group_concat(id)",
    in_place="substr(images.name, 1, 1) != x'00'",
    displaced="images.name < x'01'",
    name_like="CAST(images.name AS TEXT) LIKE ?",
    maybe_tagged="instr(metadata, '\"tags\"') > 0",
    # metadata that came from elsewhere may have anything there; damage is named by who reads a row
    tagged=(
        "CASE WHEN json_valid(metadata) THEN EXISTS"
        " (SELECT 1 FROM json_each(metadata, '$.tags') WHERE value = ?) ELSE 0 END"
    ),
    tag_counts=(
        "SELECT value, count(*) FROM images, json_each("
        "CASE WHEN json_valid(metadata) THEN metadata ELSE '{}' END, '$.tags')"
        " WHERE instr(metadata, '\"tags\"') > 0 AND state = 'indexed' AND typeof(value) = 'text'"
        " GROUP BY value ORDER BY value"
    ),
    camera="instr(lower(camera), lower(?))",
    coloured="instr(' ' || colours || ' ', ' ' || ? || ' ')",
    newer_indexes=(
        "CREATE INDEX IF NOT EXISTS images_displaced ON images (id) WHERE name < x'01'",
        "CREATE INDEX IF NOT EXISTS images_tagged ON images (id)"
        " WHERE instr(metadata, '\"tags\"') > 0",
    ),
)

POSTGRESQL = Dialect(
    by_generation="",
    by_skipped="",
    as_table="",
    # an array, since rows from a function would have the planner read the whole table
    in_ids="= ANY (ARRAY (SELECT value::bigint FROM jsonb_array_elements_text(?::jsonb)))",
    in_names=(
        "= ANY (ARRAY (SELECT convert_to(value, 'UTF8') FROM jsonb_array_elements_text(?::jsonb)))"
    ),
    next_folder="SELECT nextval(pg_get_serial_sequence('folders', 'id'))",
    last_id=(
        "SELECT coalesce("
        "pg_sequence_last_value(pg_get_serial_sequence('images', 'id')::regclass), 0)"
    ),
    joined_ids="string_agg(id::text, ',')",
    in_place="substr(images.name, 1, 1) != '\\x00'::bytea",
    displaced="images.name < '\\x01'::bytea",
    name_like="encode(images.name, 'escape') ILIKE ?",
    maybe_tagged="strpos(metadata, '\"tags\"') > 0",
    tagged="jsonb_exists(metadata::jsonb -> 'tags', ?)",
    tag_counts=(
        "SELECT value, count(*) FROM images, jsonb_array_elements_text("
        "CASE jsonb_typeof(metadata::jsonb -> 'tags')"
        " WHEN 'array' THEN metadata::jsonb -> 'tags' ELSE '[]' END) AS value"
        " WHERE strpos(metadata, '\"tags\"') > 0 AND state = 'indexed'"
        ' GROUP BY value ORDER BY value COLLATE "C"'
    ),
    camera='strpos(lower(camera COLLATE "C"), lower(?::text COLLATE "C")) > 0',
    coloured="strpos(' ' || colours || ' ', ' ' || ?::text || ' ') > 0",
    newer_indexes=(
        "DO $$ BEGIN IF to_regclass('images_tagged') IS NULL"
        " AND has_schema_privilege(current_schema, 'CREATE') AND pg_has_role("
        "(SELECT relowner FROM pg_class WHERE oid = 'images'::regclass), 'USAGE') THEN"
        " CREATE INDEX images_displaced ON images (id) WHERE name < '\\x01'::bytea;"
        " CREATE INDEX images_tagged ON images (id) WHERE strpos(metadata, '\"tags\"') > 0;"
        " END IF; END $$",
    ),
)
