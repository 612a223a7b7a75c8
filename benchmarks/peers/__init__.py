"""Our search and those of others, on the same embeddings, each in a process of its own."""
