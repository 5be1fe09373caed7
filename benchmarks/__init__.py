"""What prints the numbers of the README: `make bench`, or `python -m benchmarks [names]`.

Each module measures one matter and gives its rows; every ratio is of one run on one machine. The systems are the
embedded look-alikes in a process of their own, with the latency and the limits of the real ones. May import the
product, its sandbox and HubSpot's own client; nothing imports it.
"""
