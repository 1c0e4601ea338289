"""The `uniscale` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from uniscale_integrations.cli.app import app

    app()
