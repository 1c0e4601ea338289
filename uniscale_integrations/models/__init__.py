"""Generators, and the embedded model family."""
