"""People who answer for stations: accounts, roles, sign-in, the audit trail."""
