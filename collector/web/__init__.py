"""What every page shares: layout, style sheet, scripts, words, error pages. Knows no domain."""
