"""What the offline model says: it remembers facts, tells stories, and otherwise explains itself.

Pure text to text; it knows nothing of pydantic-ai, of tools or of schemas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Memory", "Reply", "answer", "is_small_talk", "quote"]

QUOTE_CHARS_MAX = 200
"""Characters of a prompt that are repeated: enough to recognise it, too few to flood a terminal."""
STORY_WORDS_LONG = 600
"""Words of a long story: twelve seconds at the pace of a story, so that there is time to cancel."""
STORY_WORDS_SHORT = 40
TURN_CHARS_MAX = 4_000
"""Characters of a turn that are searched for meaning; a pasted file is quoted, not understood."""
DIGEST_SENTENCES = 2
"""Sentences of a text that a summary keeps."""
COUNT_MAX = 100_000
"""The highest number that is counted to: a test of streams may ask for many chunks, not for any."""

_FACT = re.compile(
    r"\bmy ((?:(?!is\b|are\b|was\b)[\w'-]+ ){0,4}?(?!is\b|are\b|was\b)[\w'-]+) (is|are|was) "
    r"([^.,;!?\n]+?)(?=\s+and my\b|[.,;!?\n]|$)",
    re.IGNORECASE,
)
_CALLED = re.compile(r"\b(?:call me|i am called|i'm called)\s+([^.,;!?\n]+)", re.IGNORECASE)
_I_AM = re.compile(
    r"^\s*(?:[Hh]i|[Hh]ello|[Hh]ey)?[,!. ]*\b[Ii](?:'m| am) ([A-Z][\w'-]+)\s*[.!]?\s*$"
)
_ABOUT_ME = re.compile(
    r"\bi (live in|work at|work as|work for|like|love|prefer|have) ([^.,;!?\n]+)", re.IGNORECASE
)
_REMEMBER = re.compile(
    r"^\s*(?:please )?remember (?:that )?(.+?)[.!]?\s*$", re.IGNORECASE | re.DOTALL
)
_ASKED = re.compile(
    r"\b(?:what(?:'s|\s+is|\s+are|\s+was)|who\s+is|tell me|do you (?:know|remember)(?:\s+what)?|"
    r"remind me(?:\s+of|\s+what)?)\s+my\s+([\w' -]+?)(?:\s+(?:is|are|was))?\s*[?.!]*\s*$",
    re.IGNORECASE,
)
_ASKED_ABOUT_ME = re.compile(
    r"\b(?:where|what|whom?) do i (live|work|like|love|prefer|have)\b", re.IGNORECASE
)
_ASKED_ALL = re.compile(
    r"what (?:do you (?:know|remember)(?: about me)?|did i (?:say|tell you)|have i told you)"
    r"\s*[?.!]*$|who am i\b",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bcount (?:up )?to ([\d_,]+)", re.IGNORECASE)
_SAY = re.compile(
    r"^\s*(?:say|repeat(?: after me)?|echo)\s*:?\s+(.+?)\s*$", re.IGNORECASE | re.DOTALL
)
_DIGEST = re.compile(
    r"^\s*(?:please )?(?:summari[sz]e|write (?:[\w ]{0,40}?)(?:about|from|of|on))\b[:\s]*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_STORY = re.compile(r"\bstor(?:y|ies)\b|\btale\b", re.IGNORECASE)
_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|good (?:morning|evening|day))\b[^?]{0,20}$", re.IGNORECASE
)
_THANKS = re.compile(r"^\s*(?:thanks|thank you)\b", re.IGNORECASE)


@dataclass(slots=True)
class Memory:
    """What the user has said about themselves, in the order it was said."""

    facts: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    notes: list[str] = field(default_factory=list[str])

    def learn(self, text: str) -> list[str]:
        """Take the facts out of one turn of the user; returns the keys that were learned."""
        learned: list[str] = []
        for key, verb, value in _FACT.findall(text):
            learned.append(self._keep(key.lower(), verb.lower(), value.strip()))
        named = _CALLED.search(text) or _I_AM.match(text)
        if named:
            learned.append(self._keep("name", "is", named[1].strip()))
        for verb, value in _ABOUT_ME.findall(text):
            learned.append(self._keep(f"i {verb.lower()}", "", value.strip()))
        noted = _REMEMBER.match(text)
        if noted and not learned:
            self.notes.append(noted[1].strip())
        return learned

    def _keep(self, key: str, verb: str, value: str) -> str:
        self.facts.pop(key, None)
        self.facts[key] = (verb, value)
        return key

    def sentence(self, key: str) -> str:
        """One fact, said back to its owner."""
        verb, value = self.facts[key]
        if key.startswith("i "):
            return f"you {key[2:]} {value}"
        return f"your {key} {verb} {value}"

    def sentences(self) -> list[str]:
        """Everything that is known, a clause each."""
        return [self.sentence(key) for key in self.facts] + self.notes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and whether it is paced as a story teller would, or comes at once."""

    text: str
    paced: bool = False


def answer(turns: Sequence[str], tools: Sequence[str] = ()) -> Reply:
    """The reply to the last of the user's turns, given all of them; `tools` are offered by name."""
    memory = Memory()
    for turn in turns[:-1]:
        memory.learn(turn[:TURN_CHARS_MAX])
    prompt = turns[-1][:TURN_CHARS_MAX] if turns else ""
    return (
        _from_command(prompt)
        or _from_question(prompt, memory)
        or _from_statement(prompt, memory)
        or _from_manners(prompt, memory)
        or _explanation(prompt, tools)
    )


def is_small_talk(turns: Sequence[str]) -> bool:
    """Whether the last turn is about the user or the conversation, so that no tool answers it."""
    memory = Memory()
    for turn in turns[:-1]:
        memory.learn(turn[:TURN_CHARS_MAX])
    prompt = turns[-1][:TURN_CHARS_MAX] if turns else ""
    asked = _ASKED.search(prompt)
    if asked and asked[1].strip().lower() not in {"name", *memory.facts}:
        # "What is my balance?": nobody has told, so a tool may know.
        return False
    known = asked or _ASKED_ALL.search(prompt) or _ASKED_ABOUT_ME.search(prompt)
    commanded = _COUNT.search(prompt) or _SAY.match(prompt) or _STORY.search(prompt)
    return bool(known or commanded or _GREETING.match(prompt) or Memory().learn(prompt))


def quote(text: str) -> str:
    """A prompt in one line and of a bounded length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTE_CHARS_MAX else flat[: QUOTE_CHARS_MAX - 1] + "…"


def _from_command(prompt: str) -> Reply | None:
    if said := _SAY.match(prompt):
        return Reply(said[1])
    if counted := _COUNT.search(prompt):
        last = min(int(re.sub(r"[_,]", "", counted[1]) or "0"), COUNT_MAX)
        return Reply(" ".join(str(number) for number in range(1, last + 1)))
    if _STORY.search(prompt):
        short = re.search(r"\bshort\b", prompt, re.IGNORECASE)
        return Reply(_story(STORY_WORDS_SHORT if short else STORY_WORDS_LONG), paced=True)
    if written := _DIGEST.match(prompt):
        return Reply(_digest(written[1]))
    return None


def _from_question(prompt: str, memory: Memory) -> Reply | None:
    if asked := _ASKED.search(prompt):
        key = asked[1].strip().lower()
        if key in memory.facts:
            return Reply(_capitalised(memory.sentence(key)) + ".")
        return Reply(f"You have not told me your {key} yet.")
    if asked := _ASKED_ABOUT_ME.search(prompt):
        known = [key for key in memory.facts if key.startswith(f"i {asked[1].lower()}")]
        if known:
            return Reply(_capitalised(memory.sentence(known[-1])) + ".")
        return Reply("You have not told me that yet.")
    if _ASKED_ALL.search(prompt):
        known = memory.sentences()
        return Reply(
            f"You told me: {'; '.join(known)}." if known else "You have not told me anything yet."
        )
    return None


def _from_statement(prompt: str, memory: Memory) -> Reply | None:
    notes_before = len(memory.notes)
    learned = memory.learn(prompt)
    if "name" in learned:
        return Reply(f"Nice to meet you, {memory.facts['name'][1]}.")
    if learned:
        known = " and ".join(memory.sentence(key) for key in learned)
        return Reply(f"I will remember that {known}.")
    if len(memory.notes) > notes_before:
        return Reply(f"I will remember that {quote(memory.notes[-1])}.")
    return None


def _from_manners(prompt: str, memory: Memory) -> Reply | None:
    name = memory.facts.get("name")
    if _THANKS.match(prompt):
        return Reply(f"You are welcome, {name[1]}." if name else "You are welcome.")
    if not _GREETING.match(prompt):
        return None
    return Reply(
        f"Hello, {name[1]}!" if name else "Hello! I am the offline model. What is your name?"
    )


def _explanation(prompt: str, tools: Sequence[str]) -> Reply:
    offers = ["tell me something about yourself", "ask for a story"]
    if tools:
        offers.append(f"name one of my tools ({', '.join(tools)})")
    can = ", ".join(offers[:-1]) + f" or {offers[-1]}"
    heard = f'I heard "{quote(prompt)}", but I am' if prompt.strip() else "I am"
    return Reply(f"{heard} the offline model and have no network to look further: {can}.")


def _digest(text: str) -> str:
    sentences = _SENTENCE_END.split(" ".join(text.split()))
    kept = " ".join(sentences[:DIGEST_SENTENCES])
    return f"In short: {kept}" if kept.endswith((".", "!", "?")) else f"In short: {kept}."


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


_HEROES = ("a lamplighter", "a ferry pilot", "a clockmaker", "a beekeeper", "an old cartographer")
_PLACES = ("a harbour of glass", "the last dry hill", "a town without clocks", "the long bridge")
_DEEDS = (
    "mended a broken bell",
    "followed a thread of smoke",
    "counted the stars twice",
    "opened a sealed letter",
)
_TURNS = (
    "Then the wind changed.",
    "Nobody had expected that.",
    "By morning everything was different.",
)


def _story(words: int) -> str:
    sentences = [f"Once upon a time there was {_HEROES[0]} who lived in {_PLACES[0]}."]
    length, step = len(sentences[0].split()), 0
    while length < words - 8:
        step += 1
        hero, place = _HEROES[step % len(_HEROES)], _PLACES[(step * 3) % len(_PLACES)]
        deed, turn = _DEEDS[(step * 5) % len(_DEEDS)], _TURNS[step % len(_TURNS)]
        sentences.append(f"One day {hero} came to {place} and {deed}. {turn}")
        length += len(sentences[-1].split())
    sentences.append("And that is where the story ends.")
    return " ".join(sentences)
