"""A git repository over smart HTTP, answered by git's own `http-backend`."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from support.message import Request
from support.origin import Origin
from support.reply import Reply

from .repository import Repository, payload
from .run import clean_env

BRANCH = "refs/heads/main"
FILE = "content.bin"
SIZE = 30_000


def content(commit: int) -> bytes:
    """The one file of the repository, as of a commit."""
    return f"commit {commit}\n".encode() + payload(SIZE, f"git {commit}")


class GitRepository(Repository):
    """`git.HOST`, a branch whose commits are all made in advance; `advance` moves it.

    Args:
        host: See `Repository`.
        folder: Where the bare repository lies; None for a temporary folder.
        commits: How many there are.
    """

    def __init__(self, host: str, folder: Path | None = None, commits: int = 3) -> None:
        super().__init__(host)
        self.folder = folder or Path(tempfile.mkdtemp(prefix="git-"))
        self.bare = self.folder / "project.git"
        self.env = clean_env(self.folder / "home")
        self.ids = self._build(commits)
        """The commits, oldest first."""
        self.current = 0
        self.advance(commits - 1)

    def _git(self, *words: str, data: bytes | None = None) -> str:
        command = ["git", "-C", str(self.bare), *words]
        done = subprocess.run(command, env=self.env, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def _build(self, commits: int) -> list[str]:
        self.bare.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main")
        stream = [b"feature done\n"]
        for number in range(commits):
            data, said = content(number), b"commit %d" % number
            stream.append(b"commit refs/heads/all\n")
            stream.append(
                b"committer Tests <tests@tests.example> %d +0000\n" % (1_700_000_000 + number)
            )
            stream.append(b"data %d\n%s\n" % (len(said), said))
            stream.append(b"M 100644 inline %s\n" % FILE.encode())
            stream.append(b"data %d\n%s\n" % (len(data), data))
        self._git("fast-import", "--quiet", data=b"".join([*stream, b"done\n"]))
        ids = self._git("rev-list", "--reverse", "refs/heads/all").splitlines()
        self._git("update-ref", "refs/keep/all", "refs/heads/all")
        self._git("update-ref", "-d", "refs/heads/all")
        self._git("config", "transfer.hideRefs", "refs/keep")
        return ids

    def advance(self, commit: int) -> None:
        """Let the branch name another commit."""
        self._git("update-ref", BRANCH, self.ids[commit])
        self.current = commit

    def accept_pushes(self) -> None:
        """From everybody."""
        self._git("config", "http.receivepack", "true")

    @property
    def hosts(self) -> Sequence[str]:
        """See `Repository.hosts`."""
        return [f"git.{self.host}"]

    @property
    def url(self) -> str:
        """The URL that clients clone."""
        return f"https://git.{self.host}/project.git"

    @property
    def contents(self) -> dict[str, bytes]:
        """See `Repository.contents`."""
        return {FILE: content(self.current)}

    @property
    def first(self) -> str:
        """See `Repository.first`."""
        return f"{self.url}/info/refs?service=git-upload-pack"

    @property
    def file(self) -> str:
        """See `Repository.file`."""
        return f"{self.url}/git-upload-pack"

    def is_index(self, url: str) -> bool:
        """See `Repository.is_index`."""
        return "/info/refs" in url

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        origin.handle(f"git.{self.host}", "*", self.answer)

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer one request by `git http-backend`."""
        path, _, query = request.target.partition("?")
        env = self.env | {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.header("content-type") or "",
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.header("content-encoding") or "",
            "HTTP_GIT_PROTOCOL": request.header("git-protocol") or "",
            "REMOTE_ADDR": "127.0.0.1",
            "PATH": os.environ["PATH"],
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=env, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            output, _ = await process.communicate(request.body)
        except asyncio.CancelledError:
            # The asker is gone; its process shall not outlive the loop.
            process.kill()
            await process.wait()
            raise
        head, _, body = output.partition(b"\r\n\r\n")
        fields = [line.partition(": ") for line in head.decode().split("\r\n")]
        status = next((value for name, _, value in fields if name == "Status"), "200")
        headers = [(name, value) for name, _, value in fields if name != "Status"]
        await reply.head(int(status.split(" ")[0]), headers, length=len(body))
        await reply.send(body)
        await reply.end()
