"""A whole sweep: plan, run, resume, collect, fit, allocate, confirm."""
