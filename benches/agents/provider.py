"""A subject of `bench --spawn` and `--restarts`: it imports OpenAI's provider, as most agents do,
and answers without it."""

from __future__ import annotations

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

IMPORTED = (OpenAIChatModel, OpenAIProvider)

agent = Agent(TestModel(custom_output_text="x"), instructions="Answer briefly.")
