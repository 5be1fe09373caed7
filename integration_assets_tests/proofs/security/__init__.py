"""What an attacker tries, and how much of it is refused."""
