"""A log as one page for people who would rather look than read."""
