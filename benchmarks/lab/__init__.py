"""Does a process reward model pay? One experiment, from a policy that knows nothing to a table."""
