"""The SQL of every table and view: one file each, a single SELECT, named as the asset or table it makes.

May import nothing of the product. Callers wrap a text into `CREATE ... AS`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_sql(name: str) -> str:
    """Text of `<name>.sql` (`folder/name` for one in a folder).

    Raises:
        FileNotFoundError: there is no such file.
    """
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
