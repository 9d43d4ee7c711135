"""Plots, the HTML page and TensorBoard figures."""
