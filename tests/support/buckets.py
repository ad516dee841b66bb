"""S3 as moto's server speaks it, on a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from stellwerk.providers.artifacts.s3 import S3Artifacts, s3_client


@contextmanager
def running_s3() -> Iterator[str]:
    """Its URL; it forgets everything at the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def store_in(url: str, bucket: str = "artifacts", *, is_new: bool = False) -> S3Artifacts:
    """The store in a bucket, which `is_new` makes."""
    client = s3_client(
        endpoint_url=url, region="us-east-1", access_key_id="key", secret_access_key="secret"
    )
    if is_new:
        client.create_bucket(Bucket=bucket)
    return S3Artifacts(client, bucket)
