# What we use of a package that is published without types.

whitelist: set[str]
