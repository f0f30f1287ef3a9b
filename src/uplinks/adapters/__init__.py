"""The edges: everything here does the I/O that the rest of the house must not do."""
