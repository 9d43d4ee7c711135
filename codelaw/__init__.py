"""codelaw: scaling laws and mixtures for pre-training on code."""

__version__ = '0.1.0'
