"""Tests of a catalog that is in a real PostgreSQL server."""
