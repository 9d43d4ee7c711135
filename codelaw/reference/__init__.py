"""The papers' published numbers, packaged as facts with their source."""
