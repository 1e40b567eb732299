"""The fake engine keeps the contract that it stands in for."""

import hashlib

import pytest

from infra.engines.fake import Fake
from schemas.prompts import Prompt
from tests.support.engine_contract import GeneratorContract, ScorerContract


def reply(prompt: Prompt, seed: int) -> str:
    return " ".join(hashlib.sha256(f"{prompt.tagged()}{seed}{i}".encode()).hexdigest()[:4] for i in range(20))


class TestFake(GeneratorContract, ScorerContract):
    @pytest.fixture
    def engine(self) -> Fake:
        return Fake(reply, lambda prompt: len(prompt.tagged()) % 10 / 10)
