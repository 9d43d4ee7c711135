"""What a trained model can do: tasks, generated programs, translations."""
