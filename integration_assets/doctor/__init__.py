"""The doctor: 28 checks of whether a run would get through, each tried for real, none of which writes to a system.

One module per theme; `table` has the checks in order, `examination` carries them out at once and in time. May import
everything below the command line, the web pages and the assets included: it looks at all of them. Nothing imports it
but the commands.
"""
