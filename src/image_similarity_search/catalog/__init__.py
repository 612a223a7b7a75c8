"""The catalog: the truth about every image, and its embedding, in a SQLite file or in PostgreSQL.

``schema`` is the storage format, ``database`` the connection, ``lock`` the one writer, and
``catalog`` what can be asked and told.
"""
