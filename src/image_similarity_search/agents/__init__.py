"""Collections for agents: a server of the Model Context Protocol, over standard input and output.

A face: it translates calls of tools into calls of ``Collection``, and answers and errors into what
an agent reads.
"""
