"""Keeps what is stored within bounds and safe: months ahead, old events gone, backups that can be restored."""
