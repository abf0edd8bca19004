"""Takes pushes in: verify, queue, one writer commits many in one transaction, then answer."""
