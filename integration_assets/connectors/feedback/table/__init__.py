"""A table of one's own as a feedback system: files, a folder of them, an https address, or one SELECT per relation.

A mapping in TOML (`mapping`) says where the relations are and which column is which field. Each relation is copied, as
text, into a private DuckDB database for the length of a read (`importing`), where it is parsed (`parsing`), so that
all that is told of it is told of one state of it, in the order the protocol asks for, at a size that memory need not
hold. This is the one connector that knows DuckDB: it is the library that reads the files, and no store of the product.
"""
