"""How well searches find what belongs together.

``truth`` says what belongs together, ``labels_file`` and ``label_column`` read it from files,
``ranks`` where searches find it, ``figures`` and ``intervals`` make numbers of that, ``fitting``
says which group an image looks like, ``comparing`` puts two of them side by side, and ``asking``
goes from what a caller asks to a report.
"""
