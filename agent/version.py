"""The version this agent reports."""

VERSION = "0.1.0"
