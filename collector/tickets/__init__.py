"""The work that a fault causes: opened once, routed, acknowledged, closed when the machine recovers."""
