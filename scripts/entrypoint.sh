#!/bin/sh
# The entry point of the image: `namewright`, but for the programs by which a worker of Prefect begins a run.
case "$1" in
  prefect | python) exec "$@" ;;
  *) exec namewright "$@" ;;
esac
