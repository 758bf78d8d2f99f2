"""Process reward models: what scores the lines of a program."""
