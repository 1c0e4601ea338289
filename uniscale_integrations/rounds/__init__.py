"""Deciding again once an answer was seen: a request as a sequence of attempts. Nothing here calls a model, waits or reads a clock."""
