"""Tells people: an outbox written with the ticket, senders with leases, one file a channel."""
