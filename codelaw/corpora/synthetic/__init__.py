"""Programs written by a seeded generator, in several languages at once."""
