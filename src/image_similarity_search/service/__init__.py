"""Collections over HTTP: a JSON API for programs and for the page.

A face: it translates requests into calls of ``Collection``, and answers and errors into JSON.
"""
