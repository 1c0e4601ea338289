"""The append-only log of decisions, outcomes and feedback, and the state that is folded from it."""
