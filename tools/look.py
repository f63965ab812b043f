"""Look at the built site in Chromium: pictures at two widths, light and dark.

python tools/look.py OUT [PAGE ...]    writes OUT/PAGE-WIDTH-SCHEME.png and says what overflows

It needs `site/` (make docs) and Debian's `chromium`. It fails if a page is wider than the window,
or asks another host for anything.
"""

import argparse
import asyncio
import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

SITE = Path(__file__).resolve().parents[1] / "site"
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
OVERFLOW = "document.scrollingElement.scrollWidth - window.innerWidth"


class Browser:
    """One tab of Chromium, by its debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take the tab's socket."""
        self._socket = socket
        self._last = 0
        self._loaded = False
        self.requested: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method; notes the requests of the page meanwhile."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            message = await self._receive()
            if message.get("id") == self._last:
                result: dict[str, Any] = message.get("result", {})
                return result

    async def open(self, address: str) -> None:
        """Load a page to its end."""
        self._loaded = False
        await self.call("Page.navigate", url=address)
        while not self._loaded:
            await self._receive()

    async def value(self, expression: str) -> int:
        """Return what an expression of the page is, a number."""
        result = await self.call("Runtime.evaluate", expression=expression)
        return int(result["result"]["value"])

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await asyncio.wait_for(self._socket.receive_json(), 30)
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        self._loaded |= message.get("method") == "Page.loadEventFired"
        return message


async def served() -> tuple[web.AppRunner, str]:
    """Serve the site on a free port; returns the server and its address."""
    app = web.Application()
    app.router.add_static("/", SITE)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def debugging_port(profile: Path) -> int:
    """Return the port that a starting browser writes into its profile."""
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(30):
        while not file.exists() or not file.read_text():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
    return int(file.read_text().split()[0])


async def look(browser: Browser, address: str, pages: list[str], out: Path) -> list[str]:
    """Take the pictures; returns what is wrong."""
    problems = []
    for method in ("Page.enable", "Network.enable"):
        await browser.call(method)
    # The theme keeps the first scheme that it finds.
    await browser.call("Page.addScriptToEvaluateOnNewDocument", source="localStorage.clear()")
    for width, scheme, page in ((w, s, p) for w in WIDTHS for s in SCHEMES for p in pages):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        metrics = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 600}
        await browser.open("about:blank")
        await browser.call("Emulation.setEmulatedMedia", features=media)
        await browser.call("Emulation.setDeviceMetricsOverride", **metrics)
        await browser.open(f"{address}/{page}")
        if (wider := await browser.value(OVERFLOW)) > 0:
            problems.append(f"{page} is {wider} px wider than {width} px")
        shot = await browser.call("Page.captureScreenshot")
        name = f"{page.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png"
        (out / name).write_bytes(base64.b64decode(shot["data"]))
    own = (address, "data:", "blob:")
    return problems + sorted(
        {f"asks {url}" for url in browser.requested if not url.startswith(own)}
    )


async def run(out: Path, pages: list[str]) -> list[str]:
    """Start server and browser, look, and stop them."""
    runner, address = await served()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        process = await asyncio.create_subprocess_exec(
            "chromium", *flags, f"--user-data-dir={profile}", stderr=asyncio.subprocess.DEVNULL
        )
        try:
            port = await debugging_port(Path(profile))
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                tab = await (await session.put("/json/new?about:blank")).json()
                async with session.ws_connect(
                    tab["webSocketDebuggerUrl"], max_msg_size=0
                ) as socket:
                    return await look(Browser(socket), address, pages, out)
        finally:
            process.terminate()
            await process.wait()
            await runner.cleanup()


def main() -> int:
    """Take the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the pictures")
    parser.add_argument("pages", nargs="*", help="such as how-to/aws.html; else all but files/")
    arguments = parser.parse_args()
    everything = (str(each.relative_to(SITE)) for each in sorted(SITE.rglob("*.html")))
    pages = arguments.pages or [each for each in everything if not each.startswith("files/")]
    arguments.out.mkdir(parents=True, exist_ok=True)
    problems = asyncio.run(run(arguments.out, pages))
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
