"""When each station was there: stretches of up, down, off and unknown, kept for ever and closed only by facts."""
