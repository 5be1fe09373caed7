"""Mutation testing of the core: which small changes of behaviour the tests of a module would not notice."""
