#!/bin/sh
# Finds the commit that brought bug 142 in, by halving what is left between v1.0 and main.
set -eu
export PYTHONPATH=".${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1
report=$TMPDIR/bug.py
cp bugs/142_last_page.py "$report"
cat > "$TMPDIR/try" <<'TRY'
printf '\033[36m%s\033[0m %s\n' "$(git log -1 --format=%h)" "$(git log -1 --format=%s)"
sleep 0.8
exec python3 -B "$1"
TRY
printf '\033[1m%s commits since v1.0\033[0m\n' "$(git rev-list --count v1.0..main)"
git bisect start main v1.0
git bisect run sh "$TMPDIR/try" "$report"
git rev-parse refs/bisect/bad > .git/culprit
printf '\033[32m✓\033[0m first bad commit: \033[31m%s\033[0m\n' "$(git log -1 --format='%h %s (%an, %as)' refs/bisect/bad)"
git --no-pager show --color --format= refs/bisect/bad
