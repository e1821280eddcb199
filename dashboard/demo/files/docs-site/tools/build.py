"""Makes a page of every Markdown file, one by one, into public/."""

from pathlib import Path

from tools import markdown
from tools.console import BLUE, DIM, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def main():
    public = ROOT / "public"
    public.mkdir(exist_ok=True)
    theme = (ROOT / "theme" / "page.html").read_text(encoding="utf-8")
    files = sorted(ROOT.glob("pages/*.md"))
    head(f"{len(files)} pages")
    for number, path in enumerate(paced(files, 11.0), start=1):
        text = path.read_text(encoding="utf-8")
        content = theme.format(title=markdown.title(text), body=markdown.convert(text))
        (public / f"{path.stem}.html").write_text(content, encoding="utf-8")
        size = paint(f"{len(content):>6,}", DIM)
        say(f"{paint(f'{number:2}/{len(files)}', BLUE)} {size}  {markdown.title(text)}")
    good(f"{len(files)} pages in public/")


if __name__ == "__main__":
    main()
