#!/bin/sh
# A step of any CI, or a script of yours: your command behind cachy, its tree kept in one folder.
#
#   CACHY=...          what pip installs: a wheel, or git+https://... (which needs a Rust toolchain)
#   CACHY_DIR=...      the tree: what your CI keeps from run to run
#   sh shell.sh pip install -r requirements.txt
set -eu

export CACHY_DIR="${CACHY_DIR:-$PWD/.cache/cachy}"

# In a virtual environment of its own, so that it shares nothing with what is built.
cachy=cachy
if ! command -v cachy >/dev/null; then
    home="$(mktemp -d)"
    trap 'rm -rf "$home"' EXIT
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet "${CACHY:?what is to be installed}"
    cachy="$home/bin/cachy"
fi

status=0
"$cachy" run --report cachy.json -- "$@" || status=$?

# What the next run finds is what somebody has used, and no more than this.
"$cachy" prune --max-size "${CACHY_MAX_SIZE:-5GB}" --unused-since 30d || :
# Who may upload to a proxy is nothing to be handed on.
rm -f "$CACHY_DIR/.cachy/token"
exit "$status"
