#!/bin/sh
# Which releases have bug 142, and whether their tests pass. Each is unpacked into a directory of its own.
set -eu
export PYTHONPATH=".${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1
for tag in $(git tag --sort=version:refname) HEAD; do
    place=$TMPDIR/$tag
    mkdir "$place"
    git archive "$tag" | tar -x -C "$place"
    printf '\033[1m%s\033[0m \033[90m%s\033[0m\n' "$tag" "$(git log -1 --format='%as %s' "$tag")"
    (cd "$place" && python3 -B -m tools.run_tests errors | tail -n 1)
    if (cd "$place" && python3 -B bugs/142_last_page.py); then
        printf '  \033[32m✓\033[0m not affected\n'
    else
        printf '  \033[33m!\033[0m affected: tell its users\n'
    fi
    sleep 0.3
done
