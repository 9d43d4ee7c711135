"""TensorBoard events and other logs, read into a run table."""
