"""The graph: one file per stage, in flow order: `raw`, `resolved`, `ranked`, `crm`, `summary`.

Assets are wiring: they open the staging store and the connectors through the run session, call one function of a
room below, and describe the table they made. They hand over through the staging store, never through an IO manager. May
import everything but `cli`, `web`, `automation` and `sandbox`.
"""
