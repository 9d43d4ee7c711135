"""The papers' published numbers, packaged as facts with their source.

arXiv:2512.13472 ("Scaling Laws for Code"): `code_law_runs.csv` (its 420 runs,
read from the vector geometry of its figures, good to 1e-4),
`law_parameters.csv` (printed: labels of its figures; surface: what its drawn
surfaces follow), `code_law_optimum.csv` (Eq. 8), `synergy_pairs.csv` (Table 1,
losses re-assigned to the columns where they meet the printed percentages),
`token_allocation.csv`, `allocation_scores.csv`, `pairing_pass_at_1.csv`,
`pairing_unseen_loss.csv`, `translation_laws.csv`. Units of N and D in its laws:
billions.

arXiv:2408.10914 ("To Code, or Not To Code?"), models of 470M parameters:
`code_in_pretraining_scores.csv` (its Table 2), and of its text the relative
changes between two rows of that table (`code_in_pretraining_claims.csv`; the
twelvefold code score is 1100%), against no code (`code_share_claims.csv`) and
against web code alone (`code_source_claims.csv`, by the share of web code that
is replaced); `code_source_shares.csv`.
"""
