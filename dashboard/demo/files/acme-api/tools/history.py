"""Every commit from the oldest on, with what it changed."""

import subprocess

from tools.console import BLUE, CYAN, DIM, GREEN, RED, VIOLET, good, head, paced, paint, say


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True, encoding="utf-8").stdout


def changes(commit):
    """Added and removed lines by file."""
    rows = git("show", "--numstat", "--format=", commit).split("\n")
    return [row.split("\t") for row in rows if row.count("\t") == 2]


def main():
    commits = [row.split("\t") for row in git("log", "--reverse", "--format=%h%x09%as%x09%D%x09%s").splitlines()]
    head(f"{len(commits)} commits")
    touched = {}
    for commit, day, names, subject in paced(commits, 5.0):
        tags = " ".join(name.replace("tag: ", "") for name in names.split(", ") if "tag: " in name)
        for added, removed, path in changes(commit):
            sums = touched.setdefault(path, [0, 0])
            sums[0] += int(added)
            sums[1] += int(removed)
        say(f"{paint(commit, CYAN)} {paint(day, DIM)} {subject}" + (f" {paint(tags, VIOLET)}" if tags else ""))
    head("Most changed files")
    for path, (added, removed) in sorted(touched.items(), key=lambda item: -sum(item[1]))[:6]:
        say(f"  {paint(f'+{added:<4}', GREEN)} {paint(f'-{removed:<4}', RED)} {paint(path, BLUE)}")
    good("The bug came in with one of these commits. The next chunk says which.")


if __name__ == "__main__":
    main()
