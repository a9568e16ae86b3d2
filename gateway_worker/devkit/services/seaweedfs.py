"""A private S3 server: SeaweedFS all in one, every port on loopback and telemetry off."""

from gateway_worker.devkit.services import programs
from gateway_worker.devkit.services.buckets import bucket_exists
from gateway_worker.devkit.services.local import LocalService
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import Command, base_environment
from gateway_worker.devkit.services.values import ObjectStore
from gateway_worker.devkit.services.workspace import BUCKET, REGION, USER, Workspace

LISTENERS = ("s3", "master", "volume", "filer", "admin")  # each over HTTP and over gRPC
# Its parts look for each other's gRPC there, some of them whatever port they were told
GRPC_ABOVE_HTTP = 10_000
# Left to themselves they would listen on fixed ports, or talk to a host outside this machine
SWITCHED_OFF = (
    "-admin.ui=false",
    "-webdav=false",
    "-master.telemetry=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)


class LocalSeaweedFs(LocalService):
    """One server as a child of this process."""

    name = "s3"
    stop_timeout_seconds = 5.0  # after contended writes it sometimes hangs; then it is killed

    def __init__(self, *, workspace: Workspace) -> None:
        super().__init__(workspace=workspace)
        self._ports: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Endpoint, without credentials."""
        return f"http://{LOOPBACK}:{self._ports['s3']}"

    @property
    def settings(self) -> ObjectStore:
        """Endpoint with credentials and the bucket."""
        return ObjectStore(
            endpoint_url=self.url,
            access_key_id=USER,
            secret_access_key=self._workspace.secret("s3"),
            region=REGION,
            bucket=BUCKET,
        )

    async def start(self) -> None:
        """Start the server and wait until the bucket is there."""
        if self._is_running(self.name):
            return
        if not self._ports:
            self._ports = self._workspace.take_ports(self.name, LISTENERS, second=GRPC_ABOVE_HTTP)
        settings = self.settings
        await self._run(self.name, self._command(), lambda: bucket_exists(settings))

    def _command(self) -> Command:
        directory = self._workspace.directory(self.name)
        data = self._workspace.directory(f"{self.name}/data")
        listeners = [
            option
            for web in LISTENERS
            for option in (
                f"-{web}.port={self._ports[web]}",
                f"-{web}.port.grpc={self._ports[web] + GRPC_ABOVE_HTTP}",
            )
        ]
        return Command(
            arguments=[
                programs.weed(),
                "mini",
                f"-dir={data}",
                f"-ip={LOOPBACK}",
                f"-ip.bind={LOOPBACK}",
                *listeners,
                f"-filer.localSocket={directory / 'filer.sock'}",
                f"-s3.localSocket={directory / 's3.sock'}",
                *SWITCHED_OFF,
            ],
            # Without keys in its environment it would let everybody in
            environment=base_environment()
            | {
                "HOME": str(directory),
                "AWS_ACCESS_KEY_ID": USER,
                "AWS_SECRET_ACCESS_KEY": self._workspace.secret("s3"),
            },
            directory=directory,
            log_path=self._workspace.log_path(self.name),
        )
