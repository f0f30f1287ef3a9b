"""Adapters: all I/O of this library, except that of the command line and the test tools."""
