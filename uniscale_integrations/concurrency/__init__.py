"""Threads, event loops and processes that blocking calls, synchronous callers and hostile input run on."""
