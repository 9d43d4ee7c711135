"""Loss, optimizer, step, loop, checkpoints, metrics, evaluation."""
