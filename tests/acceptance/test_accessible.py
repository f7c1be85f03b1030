"""Every page that links lead to, by day and by night, under the rules of axe-core: nothing serious may be found."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.acceptance.engine import Engine
from tests.acceptance.test_walk_in_a_browser import flow, page

__all__ = ["flow", "page"]

pytestmark = pytest.mark.browser
IDENTIFIER = re.compile(r"[0-9a-f-]{36}")
# Drawn by others, or no pages of ours.
LEFT_OUT = re.compile(r"^/(admin|api|static|logout|media)|/(export|download|raw)\b")
MOST = 90
SERIOUS = ("serious", "critical")


def test_axe_finds_nothing_serious(page: Page, engine: Engine) -> None:
    axe, found, seen, ahead = Axe(), [], set(), ["/"]
    while ahead and len(seen) < MOST:
        path = ahead.pop(0)
        shape = IDENTIFIER.sub("…", path)
        if shape in seen:
            continue
        seen.add(shape)
        answer = page.goto(engine.url + path)
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        ahead += [each for each in links(page) if not LEFT_OUT.search(each)]
        for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            for each in axe.run(page, options=options).response["violations"]:
                if each["impact"] in SERIOUS:
                    found += [
                        f"{path} ({scheme}): {each['id']}: {node['html'][:150]}" for node in each["nodes"][:3]
                    ]
    assert len(seen) > 30, seen
    assert not found, "\n".join(found)


def links(page: Page) -> list[str]:
    """Return the paths of our own that this page leads to, without what follows `?` and `#`."""
    hrefs = page.eval_on_selector_all("a[href^='/']", "found => found.map(each => each.getAttribute('href'))")
    return [re.split(r"[?#]", href)[0] for href in hrefs]
