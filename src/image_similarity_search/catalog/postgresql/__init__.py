"""A catalog that several computers share, in PostgreSQL.

``address`` is where, ``schema`` the tables, ``shared_database`` the connection, ``locks`` what
keeps writers from each other's way.
"""
