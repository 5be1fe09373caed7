"""Care of the home, apart from runs: a person is taken out of it, a copy of it is made and put back.

May import `runs` and the rooms below it; never `assets`.
"""
