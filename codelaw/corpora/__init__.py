"""Documents from the outside world: readers, filters, deduplication."""
