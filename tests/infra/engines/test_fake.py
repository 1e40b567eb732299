"""The fake engine keeps the contract that it stands in for."""

import hashlib

import pytest

from infra.engines.fake import FakeEngine
from schemas.prompts import Prompt
from tests.support.engine_contract import GeneratorContract, ScorerContract


def reply(prompt: Prompt, seed: int) -> str:
    return " ".join(hashlib.sha256(f"{prompt.to_tagged_text()}{seed}{i}".encode()).hexdigest()[:4] for i in range(20))


class TestFake(GeneratorContract, ScorerContract):
    @pytest.fixture
    def engine(self) -> FakeEngine:
        return FakeEngine(reply, lambda prompt: len(prompt.to_tagged_text()) % 10 / 10)
