"""Which tokens earn a reward: masks and spans."""
