"""The storage format of ``catalog.sqlite``; described for readers in docs/storage-format.md."""

from __future__ import annotations

FORMAT_VERSION = 5
APPLICATION_ID = 0x49535321  # "ISS!", tells our file from any other SQLite database

# 16 KiB pages hold six 1280-d embeddings each; with 4 KiB one would fill a page alone
PAGE_SIZE = 16_384

LOOSE_ROOT = 0
"""The root of images that were added one by one: its path is empty, its folders absolute."""

SCHEMA = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE roots (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    crc32 INTEGER NOT NULL
) STRICT;

CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL REFERENCES roots (id),
    path BLOB NOT NULL,
    crc32 INTEGER NOT NULL,
    UNIQUE (root_id, path)
) STRICT;

CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder_id INTEGER NOT NULL REFERENCES folders (id),
    name BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content_hash BLOB,
    width INTEGER,
    height INTEGER,
    state TEXT NOT NULL CHECK (state IN ('indexed', 'skipped')),
    reason TEXT,
    generation INTEGER NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    embedding_crc32 INTEGER,
    crc32 INTEGER NOT NULL,
    UNIQUE (folder_id, name)
) STRICT;
CREATE INDEX images_by_content ON images (content_hash);
CREATE INDEX images_by_generation ON images (generation) WHERE state = 'indexed';
CREATE INDEX images_skipped ON images (id) WHERE state = 'skipped';

CREATE TABLE embeddings (
    image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    norm REAL NOT NULL,
    crc32 INTEGER NOT NULL,
    unit BLOB NOT NULL
) STRICT;

CREATE TABLE traits (
    image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    camera TEXT,
    taken INTEGER,
    latitude REAL,
    longitude REAL,
    colours TEXT NOT NULL,
    crc32 INTEGER NOT NULL
) STRICT;

CREATE TABLE removals (
    generation INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    PRIMARY KEY (generation, image_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE forgotten (
    generation INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    name BLOB NOT NULL,
    tags TEXT NOT NULL,
    crc32 INTEGER NOT NULL,
    PRIMARY KEY (generation, image_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX forgotten_by_content ON forgotten (content_hash);

CREATE TABLE marks (
    generation INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL
) STRICT;
"""
