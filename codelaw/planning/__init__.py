"""The model ladder, sweeps and the best allocation of tokens."""
