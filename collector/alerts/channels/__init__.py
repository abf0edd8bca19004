"""One file is one way to reach a person, exporting `CHANNEL`. The base owns time-outs, retries and giving up."""
