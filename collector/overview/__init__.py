"""The pages that look across domains: the overview of the district and everything about one station."""
