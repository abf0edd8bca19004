"""The centre: takes pushes in, finds faults, opens tickets, counts usage, shows it to people."""
