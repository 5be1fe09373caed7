"""The main job as its users run it: the command line, real HTTP, end states read back through clients not ours."""
