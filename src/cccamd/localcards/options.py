"""The keys that a kind of card has of its own; apart, because pydantic takes 5 MiB."""

from pydantic import BaseModel, ConfigDict


class CardOptions(BaseModel):
    """Base of every kind's own keys in its `[[card]]` table: none beyond the common ones.

    Unknown keys are refused, so that a misspelt one is found. A validator raises ValueError
    with a text for the operator; the text must not repeat what was read, it may be a secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
