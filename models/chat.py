"""Prompts as language models are asked them, for families that read by one.

Role: a prompt in the tokenizer's own template of a conversation, as tokens of one length. Knows
nothing of what becomes of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

TOKENS = 512
"""Of a prompt at most, with what it is asked in and what it is filled up with."""


def asked(
    tokenizer: Any, prompts: Sequence[str], device: torch.device, thinking: bool
) -> dict[str, Any]:
    """What a text encoder is called with: `input_ids` and `attention_mask`, (n, 512) each."""
    said = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=thinking,
        )
        for prompt in prompts
    ]
    tokens = tokenizer(
        said, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
    ).to(device)
    return {
        "input_ids": tokens.input_ids, "attention_mask": tokens.attention_mask,
        "output_hidden_states": True, "use_cache": False,
    }  # fmt: skip
