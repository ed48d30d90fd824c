"""An OAuth provider as a process of its own: `python oauth_provider.py`. It knows one user, Ada.

It says on stdout where it listens. `POST /register` makes a client with the `redirect_uri` given;
`token` says how its token endpoint answers: "well", with "silence", or in "drips" without an end.
A code is good once, for that client with its secret and that `redirect_uri`, and with the
`code_verifier` that fits. Ada can also have shown to her where she would be sent. `GET /spent`
tells how many codes were spent.
"""

from __future__ import annotations

import html
import os
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import anyio
import httpx
import uvicorn
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

__all__ = ["Registered", "provider", "register"]

USER = "ada"
CONSENT = """<!doctype html><title>Provider</title>
<form method="post"><button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Deny</button>
<button name="answer" value="show">Show</button></form>"""
SHOWN = """<!doctype html><title>Provider</title><output>{}</output>"""


# --- for tests --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registered:
    """A client of the provider."""

    client_id: str
    client_secret: str
    redirect_uri: str


@contextmanager
def provider() -> Iterator[str]:
    """Run the provider, and give its URL."""
    with subprocess.Popen(
        [sys.executable, __file__],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, "the provider did not start"
            yield url
        finally:
            process.kill()


def register(url: str, redirect_uri: str, token: str = "well") -> Registered:
    """Make a client of the provider."""
    settings = {"redirect_uri": redirect_uri, "token": token}
    return Registered(**httpx.post(f"{url}/register", json=settings, timeout=PATIENCE).json())


# --- the provider -----------------------------------------------------------------------------


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    client_id: str
    client_secret: str
    redirect_uri: str
    token: str

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code:
    code: str
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


clients: dict[str, Client] = {}
codes: dict[str, Code] = {}
tokens: set[str] = set()
spent: list[str] = []


class Asked(OAuth2Request):  # type: ignore[misc]
    def __init__(self, request: Request, data: dict[str, str]) -> None:
        super().__init__(request.method, str(request.url), headers=dict(request.headers))
        self.payload = BasicOAuth2Payload(data)

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data  # type: ignore[no-any-return]

    form = args


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("a code_challenge is wanted")
        challenge = data["code_challenge"]
        client = request.client
        codes[code] = Code(
            code, client.client_id, data["redirect_uri"], request.scope, challenge, "S256"
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        held = codes.get(code)
        return held if held is not None and held.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        spent.append(codes.pop(authorization_code.code).code)

    def authenticate_user(self, authorization_code: Code) -> str:
        return USER


class Provider(AuthorizationServer):  # type: ignore[misc]
    def query_client(self, client_id: str) -> Client | None:
        return clients.get(client_id)

    def save_token(self, token: dict[str, str], request: Any) -> None:
        tokens.add(token["access_token"])

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Asked) -> Asked:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        if isinstance(body, dict):
            return JSONResponse(body, status, headers=dict(headers))
        return Response(body, status, headers=dict(headers))


def make_token(**given: Any) -> dict[str, str]:
    return {"token_type": "Bearer", "access_token": secrets.token_urlsafe(24)}


server = Provider()
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
server.register_token_generator("default", make_token)


async def register_client(request: Request) -> Response:
    settings = await request.json()
    client = Client(secrets.token_hex(8), secrets.token_hex(16), **settings)
    clients[client.client_id] = client
    names = ("client_id", "client_secret", "redirect_uri")
    return JSONResponse({name: getattr(client, name) for name in names})


async def authorize(request: Request) -> Response:
    asked = Asked(request, dict(request.query_params))
    try:
        grant = server.get_consent_grant(asked, USER)
    except OAuth2Error as error:
        return JSONResponse(dict(error.get_body()), 400)
    if request.method == "GET":
        return HTMLResponse(CONSENT)
    answer = dict(parse_qsl((await request.body()).decode())).get("answer")
    user = None if answer == "deny" else USER
    response: Response = server.create_authorization_response(asked, user, grant)
    if answer == "show":
        return HTMLResponse(SHOWN.format(html.escape(response.headers["location"])))
    return response


async def token(request: Request) -> Response:
    data = dict(parse_qsl((await request.body()).decode()))
    client = clients.get(data.get("client_id", ""))
    match client.token if client else "well":
        case "silence":
            await anyio.sleep_forever()
        case "drips":
            return StreamingResponse(drip(), media_type="application/json")
    response: Response = server.create_token_response(Asked(request, data))
    return response


async def drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await anyio.sleep(0.1)


async def user(request: Request) -> Response:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or shown not in tokens:
        return Response(status_code=401)
    return JSONResponse({"sub": USER})


async def count_spent(request: Request) -> Response:
    return JSONResponse(len(spent))


app = Starlette(
    routes=[
        Route("/register", register_client, methods=["POST"]),
        Route("/authorize", authorize, methods=["GET", "POST"]),
        Route("/token", token, methods=["POST"]),
        Route("/user", user),
        Route("/spent", count_spent),
    ]
)


def main() -> None:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
