"""How the embedded model family was made: questions, solvers, training stages and the report that measures it."""
