"""Reading answers: what a text answers, of which kind it is, and which answers are the same."""
