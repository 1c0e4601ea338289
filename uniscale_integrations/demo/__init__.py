"""The main job, shown: a stream of questions through both frameworks on one engine, beside what else could be done with its models."""
