"""What the tests of several rooms need: worlds, processes, servers, foreign clients, waiting."""
