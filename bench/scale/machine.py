"""The machine that something was measured on."""

import dataclasses
import os
import pathlib
import platform
from typing import Final

PROC: Final = pathlib.Path("/proc")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What numbers depend on, besides the programs."""

    cores: int
    """That this process may use."""
    processor: str
    """Model name, or where there is none (ARM) the architecture."""
    memory: int
    """GiB, rounded."""
    kernel: str

    def __str__(self) -> str:
        return f"{self.cores} cores of {self.processor}, {self.memory} GiB, Linux {self.kernel}"


def this() -> Machine:
    """Return the machine that we are on."""
    memory = _values(PROC / "meminfo")["MemTotal"].removesuffix("kB")
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_values(PROC / "cpuinfo").get("model name", platform.machine()),
        memory=round(int(memory) / 2**20),
        kernel=platform.release().partition("-")[0],
    )


def _values(path: pathlib.Path) -> dict[str, str]:
    """What a file of `key: value` lines says; of equal keys, such as cores have, the last one."""
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
