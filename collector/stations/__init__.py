"""The register of stations, their keys and enrolment codes, and the newest state of each."""
