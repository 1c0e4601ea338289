"""Local language models: a forest of key-value caches, batched decoding, sampling, GGUF files."""
