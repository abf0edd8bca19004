#!/bin/sh
# The agent with its own packages and nothing of the user's: -I takes no variables, no current folder, no home.
exec /opt/yuanjiao/bin/python -I -B -m agent "$@"
