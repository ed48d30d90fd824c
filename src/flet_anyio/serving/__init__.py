"""Running an app: on hypercorn, inside a program or as one."""

from .run import run
from .serve import serve

__all__ = ["run", "serve"]
