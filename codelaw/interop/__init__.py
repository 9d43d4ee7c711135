"""What knows the formats of other projects: T5X, Hugging Face."""
