"""Processes that work for this one, and may crash, hang or eat memory without harm to it.

``child`` is what such a process runs, ``worker`` one of them as its parent sees it, ``pool``
several of them. What they work at is a function, named as ``module:function``: it gets a request
and yields the parts of its answer.
"""
