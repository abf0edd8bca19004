"""What the desktop user's session shows: its players (MPRIS) and its sound, brought to the agent by a helper.

    desktop session                                   system
    players ─D-Bus─▶ watch ─▶ mail ══ unix socket ══▶ listener ─▶ inbox ─▶ probes playback, audio
    sound ───pulse──▶ sound ─┘        JSON lines      (agent's uid, no capabilities)

The helper runs as the desktop user, because only that user may see the session's bus (decision 0014). It speaks one
JSON object a line and never asks the agent for anything:

    {"tell": "played", "player": "vlc", "sid": "<boot12>-<pid>-<mono>", …}   the rest as in station_journal.lua
    {"tell": "sound", "boot": …, "mono": …, "audio": {…}}                    AudioState, the newest replaces the older

The agent answers `{"taken": 17}`: so many `played` lines of this connection are done with. What was not taken is sent
again over the next connection.
"""
