"""Accounts that people reach with one-time codes: sign-up, log-in, links in emails."""
