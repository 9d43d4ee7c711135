"""Runs on Cloud TPU, through engines that are there: gcloud, kubectl, xpk."""
