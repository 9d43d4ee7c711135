"""Tokenizer, packed shards, exact mixture schedule, Grain and SeqIO."""
