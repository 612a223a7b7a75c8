"""Encoders turn pictures into embeddings.

``base`` says what one is, ``table`` lists those with a name, ``preprocessing`` is what one
wants to see of a picture; the other modules are encoders.
"""
