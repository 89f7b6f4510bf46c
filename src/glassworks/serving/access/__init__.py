"""Who may ask for what and how much of it: access keys, limits, quotas and the ledger of what was used."""
