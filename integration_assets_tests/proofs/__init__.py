"""Proofs: what is tried or measured beyond the quick tests, each with its goal.

    python -m integration_assets_tests.proofs [NAME ...] [--small] [--list]

| folder | proves |
|---|---|
| `faults` | each fault we promise to survive is survived, by a checker that never takes our word |
| `kills` | a run killed at any moment is mended by the next |
| `histories` | random days of people, source, CRM and network leave every promise of the sync true |
| `figures` | what it costs, how soon and how surely: numbers with a goal |
| `security` | what an attacker tries is refused |
| `fuzzing` | damaged answers end in records, in rejections or in errors of ours |
| `mutations` | small changes of the core are noticed by its tests |
"""
