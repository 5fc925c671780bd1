#!/usr/bin/env bash
# Print the path of a Python 3.13: PYTHON= if given, else pyenv's, uv's, then any python3.13 on the PATH.
# Shims are not trusted: a candidate counts only when it runs and says it is 3.13.
set -u
want=$(cat "$(dirname "$0")/../.python-version")

is_wanted() {
  [ -n "${1:-}" ] && [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$want" ]
}

if [ -n "${PYTHON:-}" ]; then
  found=$(command -v "$PYTHON" || true)
  if is_wanted "$found"; then echo "$found"; exit 0; fi
  echo "PYTHON=$PYTHON is not a Python $want." >&2
  exit 1
fi

pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
for candidate in \
  "$pyenv_root/versions/$want/bin/python" \
  $(ls -d "$pyenv_root/versions/$want".*/bin/python 2>/dev/null | sort -rV) \
  "$(command -v uv >/dev/null && uv python find "$want" 2>/dev/null)" \
  "$(command -v "python$want" || true)" \
  "$(command -v python3 || true)"; do
  if is_wanted "$candidate"; then echo "$candidate"; exit 0; fi
done

cat >&2 <<TEXT
Chorus needs Python $want and found none. Install it one of these ways, then run the command again:
  pyenv install $want
  uv python install $want
  apt-get install python$want python$want-venv      (Debian or Ubuntu releases that have it)
  https://www.python.org/downloads/
or name one you have: make PYTHON=/path/to/python$want ...
TEXT
exit 1
