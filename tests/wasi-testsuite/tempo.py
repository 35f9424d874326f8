"""Runs the programs of WebAssembly/wasi-testsuite with Tempo: an adapter of its test runner (see README.md)."""

import atexit
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

TEMPO = shlex.split(os.getenv("TEMPO", "tempo"))

# The programs connect to themselves, and listen on addresses and ports that they choose.
LOOPBACK = ["127.0.0.1", "[::1]"]
ANY_ADDRESS = ["0.0.0.0:0", "[::]:0"]


def get_name() -> str:
    return "tempo"


def get_version() -> str:
    result = subprocess.run(TEMPO[:1] + ["--version"], encoding="UTF-8", capture_output=True, check=True)
    return result.stdout.split()[1]


def get_wasi_versions() -> List[str]:
    return ["wasm32-wasip3"]


def get_wasi_worlds() -> List[str]:
    return ["wasi:cli/command", "wasi:http/service"]


def get_timeout_seconds() -> float:
    # A debug build takes seconds to compile a program on a busy machine.
    return 30.0


def copy_of(root: str) -> str:
    """Copies a directory that programs share: one leaves files behind, and another lists them."""
    copy = tempfile.mkdtemp(prefix="wasi-testsuite-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    return shutil.copytree(root, copy, symlinks=True, dirs_exist_ok=True)


def compute_argv(
    test_path: str,
    args_env_root: Tuple[List[str], Dict[str, str], Optional[str]],
    proposals: List[str],
    wasi_world: str,
    _wasi_version: str,
) -> List[str]:
    args, env, root = args_env_root
    argv = TEMPO + ["run", test_path]
    for name, value in env.items():
        argv += ["--env", f"{name}={value}"]
        # The runner names its servers so.
        if name.startswith("HTTP_SERVER_"):
            argv += ["--allow-http", f"http://{value}"]
    if root:
        argv += ["--dir", f"{copy_of(root)}::/:rw"]
    # Two programs lack the file that says so.
    if "sockets" in proposals or Path(test_path).name.startswith("sockets-"):
        for address in LOOPBACK:
            argv += ["--allow-socket", address]
        for address in ANY_ADDRESS:
            argv += ["--allow-listen", address]
    if wasi_world == "wasi:http/service":
        return argv + ["--addr", "127.0.0.1:0"]
    return argv + ["--"] + args
