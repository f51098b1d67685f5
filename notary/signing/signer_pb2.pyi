from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Request(_message.Message):
    __slots__ = ("id", "create_key", "delete_key", "get_key_info", "sign", "check_health", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_KEY_FIELD_NUMBER: _ClassVar[int]
    DELETE_KEY_FIELD_NUMBER: _ClassVar[int]
    GET_KEY_INFO_FIELD_NUMBER: _ClassVar[int]
    SIGN_FIELD_NUMBER: _ClassVar[int]
    CHECK_HEALTH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    create_key: CreateKeyRequest
    delete_key: KeyID
    get_key_info: KeyID
    sign: SignatureRequest
    check_health: HealthCheckRequest
    request_id: str
    def __init__(self, id: _Optional[int] = ..., create_key: _Optional[_Union[CreateKeyRequest, _Mapping]] = ..., delete_key: _Optional[_Union[KeyID, _Mapping]] = ..., get_key_info: _Optional[_Union[KeyID, _Mapping]] = ..., sign: _Optional[_Union[SignatureRequest, _Mapping]] = ..., check_health: _Optional[_Union[HealthCheckRequest, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("id", "create_key", "delete_key", "get_key_info", "sign", "check_health", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_KEY_FIELD_NUMBER: _ClassVar[int]
    DELETE_KEY_FIELD_NUMBER: _ClassVar[int]
    GET_KEY_INFO_FIELD_NUMBER: _ClassVar[int]
    SIGN_FIELD_NUMBER: _ClassVar[int]
    CHECK_HEALTH_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    create_key: PublicKey
    delete_key: Void
    get_key_info: GetKeyInfoResponse
    sign: Signature
    check_health: HealthCheckResponse
    error: Status
    def __init__(self, id: _Optional[int] = ..., create_key: _Optional[_Union[PublicKey, _Mapping]] = ..., delete_key: _Optional[_Union[Void, _Mapping]] = ..., get_key_info: _Optional[_Union[GetKeyInfoResponse, _Mapping]] = ..., sign: _Optional[_Union[Signature, _Mapping]] = ..., check_health: _Optional[_Union[HealthCheckResponse, _Mapping]] = ..., error: _Optional[_Union[Status, _Mapping]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class HealthCheckRequest(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: str
    def __init__(self, service: _Optional[str] = ...) -> None: ...

class HealthCheckResponse(_message.Message):
    __slots__ = ("status",)
    class ServingStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[HealthCheckResponse.ServingStatus]
        SERVING: _ClassVar[HealthCheckResponse.ServingStatus]
        NOT_SERVING: _ClassVar[HealthCheckResponse.ServingStatus]
        SERVICE_UNKNOWN: _ClassVar[HealthCheckResponse.ServingStatus]
    UNKNOWN: HealthCheckResponse.ServingStatus
    SERVING: HealthCheckResponse.ServingStatus
    NOT_SERVING: HealthCheckResponse.ServingStatus
    SERVICE_UNKNOWN: HealthCheckResponse.ServingStatus
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: HealthCheckResponse.ServingStatus
    def __init__(self, status: _Optional[_Union[HealthCheckResponse.ServingStatus, str]] = ...) -> None: ...

class CreateKeyRequest(_message.Message):
    __slots__ = ("algorithm", "gun", "role")
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    GUN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    algorithm: str
    gun: str
    role: str
    def __init__(self, algorithm: _Optional[str] = ..., gun: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class KeyInfo(_message.Message):
    __slots__ = ("keyID", "algorithm")
    KEYID_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    keyID: KeyID
    algorithm: Algorithm
    def __init__(self, keyID: _Optional[_Union[KeyID, _Mapping]] = ..., algorithm: _Optional[_Union[Algorithm, _Mapping]] = ...) -> None: ...

class KeyID(_message.Message):
    __slots__ = ("ID",)
    ID_FIELD_NUMBER: _ClassVar[int]
    ID: str
    def __init__(self, ID: _Optional[str] = ...) -> None: ...

class Algorithm(_message.Message):
    __slots__ = ("algorithm",)
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    algorithm: str
    def __init__(self, algorithm: _Optional[str] = ...) -> None: ...

class GetKeyInfoResponse(_message.Message):
    __slots__ = ("keyInfo", "publicKey", "role")
    KEYINFO_FIELD_NUMBER: _ClassVar[int]
    PUBLICKEY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    keyInfo: KeyInfo
    publicKey: bytes
    role: str
    def __init__(self, keyInfo: _Optional[_Union[KeyInfo, _Mapping]] = ..., publicKey: _Optional[bytes] = ..., role: _Optional[str] = ...) -> None: ...

class PublicKey(_message.Message):
    __slots__ = ("keyInfo", "publicKey")
    KEYINFO_FIELD_NUMBER: _ClassVar[int]
    PUBLICKEY_FIELD_NUMBER: _ClassVar[int]
    keyInfo: KeyInfo
    publicKey: bytes
    def __init__(self, keyInfo: _Optional[_Union[KeyInfo, _Mapping]] = ..., publicKey: _Optional[bytes] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("keyInfo", "algorithm", "content")
    KEYINFO_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    keyInfo: KeyInfo
    algorithm: Algorithm
    content: bytes
    def __init__(self, keyInfo: _Optional[_Union[KeyInfo, _Mapping]] = ..., algorithm: _Optional[_Union[Algorithm, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class SignatureRequest(_message.Message):
    __slots__ = ("keyID", "content", "gun", "role")
    KEYID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    GUN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    keyID: KeyID
    content: bytes
    gun: str
    role: str
    def __init__(self, keyID: _Optional[_Union[KeyID, _Mapping]] = ..., content: _Optional[bytes] = ..., gun: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class Void(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
