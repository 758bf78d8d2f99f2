"""What runs inside a sandbox: server, forker and the candidate's side of both. Standard library only.

The directory is copied into the box as it is, or shown to it, and started as ``__main__`` says. The host imports
``plain`` and ``frames`` from it, and nothing else.
"""
