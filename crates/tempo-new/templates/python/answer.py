"""The text of a response. It uses nothing of the host, so a test can call it."""


def answer(path: str) -> str:
    return f"Hello from __NAME__: {path}\n"
