"""Plain Python, no model: answers with what it was sent."""


def echo(prompt: str) -> str:
    """Answer with the prompt itself."""
    return prompt
