"""Jobs that start together: upstream sees each URL once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients.fetcher import Curl
from clients.pip import Pip
from clients.repo_python import PythonRepository, wheels
from clients.repository import IMMUTABLE, payload, slowly
from clients.run import Run, need
from support.origin import Origin
from support.proxy import Proxy

JOBS = 13
SECONDS = 2
"""What upstream takes."""


def test_thirteen_curls(shared_proxy: Proxy, origin: Origin, host: str, tmp_path: Path) -> None:
    """One URL of 4 MB, thirteen clients: all of them get it, one request."""
    need("curl")
    url, body = f"https://{host}/big.tar.gz", payload(4_000_000, "big")
    answer = origin.route(url, body)
    origin.handle(host, "/big.tar.gz", slowly(answer, SECONDS), scheme="https")

    def job(number: int) -> Run:
        return Curl(shared_proxy, tmp_path / f"{number}")(url, "-o", "big")

    with ThreadPoolExecutor(JOBS) as pool:
        runs = list(pool.map(job, range(JOBS)))
    for number, run in enumerate(runs):
        run.ok()
        assert (tmp_path / f"{number}" / "big").read_bytes() == body
    assert origin.count(url) == 1


def test_thirteen_jobs(shared_proxy: Proxy, origin: Origin, host: str, tmp_path: Path) -> None:
    """Four pips, and nine curls that want their wheel: upstream is asked for each URL once."""
    need("curl")
    repository = PythonRepository(host)
    repository.publish(origin)
    # So that the first has not got it when the last asks.
    newest = next(w for w in wheels() if repository.url(w) == repository.file)
    answer = origin.route(repository.file, newest.data, headers=IMMUTABLE, ranges=True)
    files = repository.hosts[1]
    origin.handle(files, newest.path, slowly(answer, SECONDS), scheme="https")

    def pip(number: int) -> Run:
        return Pip(shared_proxy, tmp_path / f"{number}", repository).install()

    def curl(number: int) -> Run:
        return Curl(shared_proxy, tmp_path / f"{number}")(repository.file, "-o", "wheel")

    with ThreadPoolExecutor(JOBS) as pool:
        runs = list(pool.map(lambda number: (pip if number < 4 else curl)(number), range(JOBS)))
    for run in runs:
        run.ok()
    for number in range(4):
        pip_ran = Pip(shared_proxy, tmp_path / f"{number}", repository)
        assert pip_ran.installed() == repository.contents
    requests = repository.requests(origin)
    fetched = Counter(r.url for r in requests if r.header("if-none-match") is None)
    assert fetched[repository.file] == 1
    assert {url: times for url, times in fetched.items() if times > 1} == {}
    # pip wants its indexes checked: once for all that ask within five seconds.
    checked = Counter(r.url for r in requests if r.header("if-none-match"))
    assert all(times == 1 and repository.is_index(url) for url, times in checked.items())
