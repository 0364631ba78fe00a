"""What prompts were found to mean, remembered: people change what they draw more often than words.

Role: embeddings of prompts by what they follow from, within limits of count and memory; what isn't
known is encoded in as few calls as may be. Knows nothing of pictures and people.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from models.adapters import NOTHING, Worn
from models.networks import Networks, alone
from models.texts import Words

MOST, MOST_BYTES = 256, 512 << 20
"""Of what is remembered: a CLIP's embeddings are 0.1 MB a prompt, a language model's 8 MB."""


@dataclass(frozen=True)
class Said:
    """A prompt, the adapters that it is read with, and whether guidance leads away from it."""

    prompt: str
    worn: Worn = NOTHING
    against: bool = False

    @property
    def kind(self) -> Hashable:
        """What prompts of one call have in common."""
        return self.against, self.worn.label

    @property
    def key(self) -> Hashable:
        return self.prompt, self.kind


class Prompts:
    """See the module."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Words] = OrderedDict()

    def embed(self, parts: Networks, asked: Sequence[Said]) -> list[Words]:
        """Embeddings of one prompt each, from memory or all new ones of a kind in one call."""
        fresh = {each.key: each for each in asked if each.key not in self._known}
        for kind in dict.fromkeys(each.kind for each in fresh.values()):
            self._encode(parts, [each for each in fresh.values() if each.kind == kind])
        answers = [self._known[each.key] for each in asked]
        for each in asked:
            self._known.move_to_end(each.key)
        while fresh and self._full():
            self._known.popitem(last=False)
        return answers

    def _encode(self, parts: Networks, alike: Sequence[Said]) -> None:
        if parts.adapters is not None:
            parts.adapters.use(alike[0].worn)
        found = parts.encode_words([each.prompt for each in alike], alike[0].against)
        for each, words in zip(alike, zip(*map(alone, found), strict=True), strict=True):
            self._known[each.key] = words

    def _full(self) -> bool:
        """Whether more is remembered than should be."""
        held = sum(part.nbytes for words in self._known.values() for part in words)
        return len(self._known) > MOST or held > MOST_BYTES
