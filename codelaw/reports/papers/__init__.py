"""Analyses of two published papers, from the numbers they print."""
