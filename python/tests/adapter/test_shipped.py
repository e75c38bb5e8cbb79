"""The agents that ship with the project and those of the examples answer offline."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from driving import drive
from synapse_agent.testing import call

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import `module:attribute` of a folder, and forget the module afterwards."""

    def loaded(folder: str, entry: str) -> Any:
        module, attribute = entry.split(":")
        monkeypatch.setattr(sys, "path", [str(REPOSITORY / folder), *sys.path])
        monkeypatch.delitem(sys.modules, module, raising=False)
        return getattr(importlib.import_module(module), attribute)

    yield loaded
    for name in ("greeter", "fragile", "research", "assistant"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("folder", "entry", "prompt", "said"),
    [
        (".", "agents.assistant:agent", "What is 2 plus 3?", "add returned: 5"),
        (".", "agents.assistant:agent", "My name is Ada.", "Nice to meet you, Ada."),
        (".", "agents.research:searcher", "What do you know about whales?", "Blue whales"),
        ("examples/hello", "greeter:agent", "My name is Ada.", "Nice to meet you, Ada."),
        ("examples/crash", "fragile:agent", "My name is Ada.", "Nice to meet you, Ada."),
        ("examples/research", "research:searcher", "Search for bees.", "Honey bees"),
        ("examples/research", "research:writer", "Summarise: It rains.", "In short: It rains."),
        ("examples/openai-compatible", "assistant:agent", "What time is it?", "current_time"),
        ("examples/embed", "greeter:agent", "My name is Ada.", "Nice to meet you, Ada."),
    ],
)
def test_answers_offline(load: Any, folder: str, entry: str, prompt: str, said: str) -> None:
    assert said in drive(load(folder, entry), call(prompt)).outcome.output


def test_the_analyst_judges(load: Any) -> None:
    analyst = load(".", "agents.analyst:agent")
    report = drive(analyst, call("A data breach at the bank")).outcome.output
    assert report == {"title": "A data breach at the bank", "risk": "high"}
