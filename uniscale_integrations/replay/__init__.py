"""Outcome tables: made by running every configuration on every question, and replayed to compare policies."""
