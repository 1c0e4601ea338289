"""Choosing a configuration and learning from what came of it: LinUCB, features, objectives, baselines."""
