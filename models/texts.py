"""What words become: the text encoders of the CLIP class, one or two of them.

Role: prompts to embeddings, as StableDiffusionPipeline (one encoder, its last hidden state) and
StableDiffusionXLPipeline (two, their last but one side by side, and what the second makes of the
whole) do it. Invariant: a prompt's embeddings don't depend on those beside it. Knows nothing of
pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.base import CannotLoad

Words = tuple[Tensor, ...]
"""What a network is given of prompts: (n, tokens, width), then what else it needs, (n, …) each."""


@dataclass(frozen=True)
class Reader:
    """One tokenizer with its text encoder."""

    tokenizer: Any
    encoder: Any

    def tokens(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        found: Tensor = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        return found.to(device)

    def check(self, folder: str) -> None:
        """Whether the text encoder knows every token, and every place of one."""
        config = self.encoder.config
        words, places = len(self.tokenizer), int(self.tokenizer.model_max_length)
        if words > config.vocab_size or places > config.max_position_embeddings:
            raise CannotLoad(
                f"{folder}: its tokenizer has {words} tokens and up to {places} of them a prompt, "
                f"its text encoder {config.vocab_size} and {config.max_position_embeddings}: they "
                f"aren't of one checkpoint, or tokenizer_config.json isn't there"
            )


@dataclass(frozen=True)
class Texts:
    """`readers`: one (SD's layout) or two (SDXL's). `silent`: no words are told as zeros."""

    readers: tuple[Reader, ...]
    silent: bool = False

    @property
    def width(self) -> int:
        """Of an embedding."""
        return sum(int(reader.encoder.config.hidden_size) for reader in self.readers)

    @property
    def modules(self) -> list[Any]:
        return [reader.encoder for reader in self.readers]

    def encode(self, prompts: Sequence[str], device: torch.device) -> Words:
        """(n, tokens, width), and of two readers (n, width) as well."""
        if len(self.readers) == 1:
            (reader,) = self.readers
            return (reader.encoder(reader.tokens(prompts, device))[0],)
        said = [
            reader.encoder(reader.tokens(prompts, device), output_hidden_states=True)
            for reader in self.readers
        ]
        together = torch.cat([each.hidden_states[-2] for each in said], -1)
        return together, said[-1][0]

    def encode_against(self, prompts: Sequence[str], device: torch.device) -> Words:
        """The same of what guidance leads away from."""
        found = self.encode(prompts, device)
        if not self.silent:
            return found
        spoken = torch.tensor([bool(prompt) for prompt in prompts], device=device)
        return tuple(each * spoken.view(-1, *[1] * (each.ndim - 1)) for each in found)
