#!/bin/sh
# The agent with its own packages and nothing of the user's: -I takes no variables, no current folder, no home.
# The launcher starts the package's own agent, or for `run` the newer one that a signed release brought.
exec /opt/yuanjiao/bin/python -I -B -m agent.upgrade.launcher "$@"
