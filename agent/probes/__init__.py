"""One file here is one sensor; each exports `PROBE`. Sensors never import each other."""
