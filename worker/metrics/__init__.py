"""What a process counts while it works, for its `/metrics`; nothing where no monitor port is open.

- `definitions`  every metric with its labels: the one list of names
- `count`        what the verbs call; without a port each call is one comparison
- `counted`      the numbers, as prometheus-client keeps them
"""
