"""What the centre directs stations to do: their settings by version, and commands from a fixed list."""
