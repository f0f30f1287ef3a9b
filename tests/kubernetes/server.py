"""A real API server as a process, and requests to it."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
UPLINKS = "/apis/hub.traefik.io/v1alpha1/namespaces/apps/uplinks"
MERGE_PATCH = "application/merge-patch+json"

Json = dict[str, Any]


def build() -> str:
    """Build the API server, and give the path of the program."""
    built = subprocess.run([HERE / "build"], stdout=subprocess.PIPE, text=True, check=True)
    return built.stdout.strip()


class ApiServer:
    """One API server with a folder of its own. Starting it again keeps all objects."""

    def __init__(self, program: str, data: Path) -> None:
        self._program = program
        self._data = data
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def certificate(self) -> Path:
        return self._data / "apiserver.crt"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        with (self._data / "log").open("a") as log:
            self._process = subprocess.Popen(
                [self._program, "-data", self._data],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        assert port, (self._data / "log").read_text()[-2000:]
        self.url = f"https://127.0.0.1:{port}"

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kubeconfig(self, path: Path, url: str = "", **tokens: str) -> None:
        """Write a kubeconfig with a context for each token, by its name."""
        cluster = {"server": url or self.url}
        if not url:
            cluster["certificate-authority"] = str(self.certificate)
        users = [{"name": name, "user": {"token": token}} for name, token in tokens.items()]
        contexts = [{"name": n, "context": {"cluster": "one", "user": n}} for n in tokens]
        clusters = [{"name": "one", "cluster": cluster}]
        written = {"clusters": clusters, "users": users, "contexts": contexts}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **written}))

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Json]:
        """Make a request with all rights; give the status and the answer."""
        headers = {"Authorization": "Bearer admin", "Content-Type": content, "Accept": accept}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - https
        trusted = ssl.create_default_context(cafile=self.certificate)
        try:
            with urllib.request.urlopen(request, context=trusted) as answer:  # noqa: S310 - https
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            is_status = text.startswith(b"{")
            return error.code, json.loads(text) if is_status else {"message": text.decode()}

    def define(self, definition: Json) -> None:
        """Create a definition, and wait until its objects are served."""
        status, created = self.call("POST", DEFINITIONS, definition)
        assert status == 201, created
        spec = definition["spec"]
        version, plural = spec["versions"][0]["name"], spec["names"]["plural"]
        self.until_served(f"/apis/{spec['group']}/{version}/{plural}")

    def until_served(self, path: str = UPLINKS) -> None:
        """Wait for the objects of a definition: they are served a tenth of a second later."""
        while self.call("GET", path)[0] != 200:
            pass

    def apply(self, name: str, **spec: Any) -> None:
        """Create an uplink, or change its specification."""
        written = {"metadata": {"name": name}, "spec": spec}
        kind = {"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink"}
        status, answer = self.call("POST", UPLINKS, {**kind, **written})
        if status == 409:
            status, answer = self.call("PATCH", f"{UPLINKS}/{name}", written, content=MERGE_PATCH)
        assert status in {200, 201}, answer

    def delete(self, name: str) -> None:
        status, answer = self.call("DELETE", f"{UPLINKS}/{name}")
        assert status == 200, answer
