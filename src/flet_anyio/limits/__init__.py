"""What clients may take: the bounds, who may come in, how often, and who is let go."""

from .limits import Limits
from .overruns import limits_reached

__all__ = ["Limits", "limits_reached"]
