"""skopeo, by the variables `HTTPS_PROXY` and `SSL_CERT_FILE`."""

from pathlib import Path

from support.wire import Target

from .repo_oci import OciRepository, image_of
from .run import Run, clean_env, run


class Skopeo:
    """A skopeo that keeps nothing from one command to the next."""

    def __init__(self, proxy: Target, home: Path, repository: OciRepository) -> None:
        self.home = home
        self.repository = repository
        self.env = clean_env(home) | {
            "HTTPS_PROXY": f"http://{proxy.host}:{proxy.port}",
            "SSL_CERT_FILE": str(proxy.ca_pem),
            "XDG_RUNTIME_DIR": str(home),
            "TMPDIR": str(home),
        }
        # Else it refuses all images.
        policy = home / ".config/containers/policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def copy(self, tag: str, architecture: str, place: str) -> Run:
        """Get the image of one architecture; `pulled` tells what came."""
        source = f"docker://{self.repository.image}:{tag}"
        words = ["--override-os", "linux", "--override-arch", architecture]
        return run(
            ["skopeo", *words, "copy", "-q", source, f"dir:{self.home / place}"],
            self.env,
            self.home,
        )

    def pulled(self, tag: str, architecture: str) -> bytes:
        """The file of the image that the tag names now."""
        place = f"{tag}-{architecture}-{len(list(self.home.iterdir()))}"
        self.copy(tag, architecture, place).ok()
        return image_of(self.home / place)

    def tags(self) -> Run:
        """List them."""
        source = f"docker://{self.repository.image}"
        return run(["skopeo", "list-tags", source], self.env, self.home)
