"""One attack: `python -m benchmarks.load.attacker NAME URL NUMBER SECONDS [MOST]`.

Says "ready", begins when it is told to by a line, and then prints what became of it, and the
seconds of CPU that it used, as JSON. It gives way to the clients that are measured, which share
its core.
"""

from __future__ import annotations

import json
import os
import sys
import time

from .addresses import allow_files
from .attacks import ATTACKS, Target

_GIVES_WAY = 10


def main() -> None:
    name, url, number, seconds, *most = sys.argv[1:]
    os.nice(_GIVES_WAY)
    allow_files()
    attack = next(attack for attack in ATTACKS if attack.name == name)
    used = 0.0

    def ready() -> None:
        nonlocal used
        print("ready", flush=True)
        sys.stdin.readline()
        used = time.process_time()

    bound = int(most[0]) if most else None
    counts = attack.run(Target(url, int(number), float(seconds), bound, ready=ready))
    said = {what: count for what, count in counts.items() if count}
    print(json.dumps({**said, "cpu": time.process_time() - used}), flush=True)


if __name__ == "__main__":
    main()
