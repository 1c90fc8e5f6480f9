"""Run the pages of the course, and the one about gradients, where they stand, so that each draws its pictures again."""

from __future__ import annotations

import os
import re
from pathlib import Path

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> None:
    for page in (*sorted(HERE.glob("[0-9]*.md")), HERE.parent / "gradients.md"):
        os.chdir(page.parent)
        print(page.name)
        text, namespace = page.read_text(encoding="utf-8"), {"__name__": page.stem}
        for block in BLOCK.finditer(text):
            lines_before = text.count("\n", 0, block.start(1))
            exec(compile("\n" * lines_before + block[1], page, "exec"), namespace)


if __name__ == "__main__":
    main()
