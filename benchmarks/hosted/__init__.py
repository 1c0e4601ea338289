"""Hosted models as they are in use: prices, lengths, failures, late and one-sided judgements; simulated, and behind real servers."""
