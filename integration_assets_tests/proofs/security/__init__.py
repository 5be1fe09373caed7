"""What an attacker tries, and how much of it is refused: `python -m integration_assets_tests.proofs.security`."""
