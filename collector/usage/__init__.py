"""From events to figures: playbacks, stock, study sessions, daily roll-ups, the monthly report."""
