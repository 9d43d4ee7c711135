"""The Flax Transformer and its attention."""
