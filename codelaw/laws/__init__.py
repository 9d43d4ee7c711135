"""Law forms, fitting, uncertainty, diagnostics, synergy."""
