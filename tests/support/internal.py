"""A mitmproxy script: stands in for what the proxy tells of itself, and for its counting of runs."""

import json
import os
from pathlib import Path
from typing import Any

from mitmproxy import ctx, http


class Internal:
    """Answers under ``cachy.internal``."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.of: dict[str, str] = {}

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Notes whose connection it is."""
        if run := flow.request.headers.pop("Cachy-Run", None):
            self.of[flow.client_conn.id] = run

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Answers for itself."""
        if run := flow.request.headers.pop("Cachy-Run", None):
            self.of[flow.client_conn.id] = run
        if flow.request.pretty_host != "cachy.internal":
            return
        path = flow.request.path
        if path == "/ca.pem":
            pem = Path(ctx.options.confdir, "mitmproxy-ca-cert.pem").expanduser()
            flow.response = http.Response.make(200, pem.read_bytes())
        elif path == "/status":
            told = {"version": "0", "mode": ctx.options.cachy_mode, "writable": True}
            told["directory"] = ctx.options.cachy_dir
            flow.response = http.Response.make(200, json.dumps(told))
        elif path.startswith("/runs/"):
            told = self.runs.get(path[6:], self.nothing())
            flow.response = http.Response.make(200, json.dumps(told))
        else:
            flow.response = http.Response.make(404, b"nothing here\n")

    def response(self, flow: http.HTTPFlow) -> None:
        """Counts."""
        run = self.of.get(flow.client_conn.id, os.environ.get("CACHY_RUN"))
        if flow.request.pretty_host == "cachy.internal" or run is None or flow.response is None:
            return
        told = self.runs.setdefault(run, self.nothing())
        told["requests"] += 1
        status = flow.response.headers.get("cache-status", "")
        size = int(flow.response.headers.get("content-length", 0))
        if status == "cachy; hit":
            told["hits"] += 1
            told["bytes"]["tree"] += size
            return
        told["bytes"]["upstream"] += size
        reason = status.partition("fwd=")[2].partition(";")[0] or status.partition("detail=")[2]
        miss = {"url": flow.request.url, "method": flow.request.method, "reason": reason}
        miss |= {"status": flow.response.status_code, "cache_status": status, "bytes": size}
        told["misses"].append(miss | {"seconds": 0.25, "count": 1})

    @staticmethod
    def nothing() -> dict[str, Any]:
        """A run without requests."""
        bytes_ = {"tree": 0, "upstream": 0}
        return {"requests": 0, "hits": 0, "bytes": bytes_, "misses": [], "omitted": 0}


addons = [Internal()]
