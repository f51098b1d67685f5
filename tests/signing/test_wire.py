"""The messages between server and signer: what is committed, and what other programs rely on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from notary.signing import signer_pb2
from notary.signing.wire import ALPN, Code

ROOT = Path(signer_pb2.__file__).parents[2]
SOURCE = "notary/signing/signer.proto"

GO_SIGNER = {
    "CreateKeyRequest": {"algorithm": 1, "gun": 2, "role": 3},
    "KeyInfo": {"keyID": 1, "algorithm": 2},
    "KeyID": {"ID": 1},
    "Algorithm": {"algorithm": 1},
    "GetKeyInfoResponse": {"keyInfo": 1, "publicKey": 2, "role": 3},
    "PublicKey": {"keyInfo": 1, "publicKey": 2},
    "Signature": {"keyInfo": 1, "algorithm": 2, "content": 3},
    "SignatureRequest": {"keyID": 1, "content": 2},
    "Void": {},
}
"""The messages of its ``proto/signer.proto``."""

BEYOND_GO = {"SignatureRequest": {"gun": 3, "role": 4}}

CANONICAL_CODES = {
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}
"""Those of google/rpc/code.proto that somebody who is asked may answer with."""


def messages(descriptor: FileDescriptorProto | DescriptorProto) -> Iterator[DescriptorProto]:
    """Every message of a file, those within others too."""
    if isinstance(descriptor, DescriptorProto):
        yield descriptor
        inner = descriptor.nested_type
    else:
        inner = descriptor.message_type
    for message in inner:
        yield from messages(message)


def committed() -> FileDescriptorProto:
    descriptor = FileDescriptorProto()
    signer_pb2.DESCRIPTOR.CopyToProto(descriptor)
    return descriptor


def without_what_compilers_add(descriptor: FileDescriptorProto) -> FileDescriptorProto:
    descriptor.ClearField("source_code_info")
    for message in messages(descriptor):
        for field in message.field:
            field.ClearField("json_name")
    return descriptor


class TestMessages:
    def test_the_generated_module_is_what_the_source_says(self, tmp_path: Path) -> None:
        """If not: ``make proto``."""
        compiled = tmp_path / "signer.descriptors"
        command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=."]
        subprocess.run([*command, f"--descriptor_set_out={compiled}", SOURCE], cwd=ROOT, check=True)
        (source,) = FileDescriptorSet.FromString(compiled.read_bytes()).file
        assert without_what_compilers_add(committed()) == without_what_compilers_add(source)

    @pytest.mark.parametrize("name", GO_SIGNER)
    def test_fields_have_the_numbers_of_the_go_signers(self, name: str) -> None:
        (message,) = (each for each in messages(committed()) if each.name == name)
        numbers = {field.name: field.number for field in message.field}
        assert numbers == GO_SIGNER[name] | BEYOND_GO.get(name, {})


class TestNames:
    def test_codes_are_the_canonical_ones(self) -> None:
        assert {code.name: code.value for code in Code}.items() <= CANONICAL_CODES.items()

    def test_the_protocol_has_its_name(self) -> None:
        assert ALPN == b"notary-signer/1"
