"""Verifier-guided search: a state machine, early stopping, the vote, and the driver that moves data."""
