"""Artifacts in a bucket of S3 or a store that speaks its protocol (boto3)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stellwerk.errors import ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.artifacts.protocol import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES = 256 * 1024
_FINAL = {"NoSuchKey", "NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "404", "403"}


class S3Artifacts:
    """One bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, path: Path, content_type: str) -> StoredObject:
        """Upload, in parts where the file is large."""
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        extra = {"ContentType": content_type, "Metadata": {"sha256": digest}}
        with _mapped():
            self._client.upload_file(str(path), self._bucket, key, ExtraArgs=extra)
        return StoredObject(path.stat().st_size, digest)

    def get(self, key: str, path: Path) -> None:
        """Download into a file."""
        with _mapped():
            self._client.download_file(self._bucket, key, str(path))

    def read(self, key: str, *, start: int, length: int) -> Iterator[bytes]:
        """A ranged GET, in blocks of at most 256 KiB."""
        if length <= 0:
            return
        wanted = f"bytes={start}-{start + length - 1}"
        with _mapped():
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted)
            yield from answer["Body"].iter_chunks(BLOCK_BYTES)

    def delete(self, key: str) -> None:
        """Remove; S3 does not mind a missing key."""
        with _mapped():
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_folder(self, folder: str) -> int:
        """List and remove, a thousand at a time."""
        number = 0
        with _mapped():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{folder}/"
            )
            for listed in pages:
                for found in listed.get("Contents", ()):
                    self._client.delete_object(Bucket=self._bucket, Key=found["Key"])
                    number += 1
        return number

    def check(self) -> None:
        """Write and remove a probe."""
        key = f".probe-{uuid4().hex}"
        with _mapped():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=b"probe")
            self._client.delete_object(Bucket=self._bucket, Key=key)


def s3_client(
    *, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str
) -> "S3Client":
    """A client that gives up after 10 s to connect or 60 s to answer, and tries three times."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url or None,
        region_name=region,
        aws_access_key_id=access_key_id or None,
        aws_secret_access_key=secret_access_key or None,
        config=Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except ClientError as exc:
        raise _refused(exc) from exc
    except (BotoCoreError, Boto3Error) as exc:
        if isinstance(exc.__context__, ClientError):  # S3UploadFailedError tells only in words
            raise _refused(exc.__context__) from exc
        raise ProviderUnavailable(f"S3 does not answer: {exc}.") from exc


def _refused(exc: ClientError) -> ProviderError:
    code = exc.response.get("Error", {}).get("Code", "")
    kind = ProviderRejected if code in _FINAL else ProviderUnavailable
    return kind(f"S3 answered {code or exc}.")
