"""``python -m codegym.cli`` runs the command without the script ``codegym`` on the path."""

from codegym.cli import main

main()
