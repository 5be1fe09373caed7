"""The fault bench: every fault we promise to survive, made on purpose, and one checker that never takes our word.

A fault is a function in one of the group modules, registered in `bench` under its id. It disturbs real servers, or
kills real processes; the bench then runs the product undisturbed and hands everything to `checker`, which looks at the
servers' request logs and state.
"""
