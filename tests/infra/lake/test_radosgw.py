"""The contract of stores, kept on Ceph's own gateway."""

import pytest

from infra.lake.store import Store
from tests.support.radosgw import ceph, ceph_lake
from tests.support.store_contract import StoreContract

__all__ = ["ceph", "ceph_lake"]  # fixtures


@pytest.mark.system
class TestCeph(StoreContract):
    @pytest.fixture
    def store(self, ceph_lake: str) -> Store:
        return Store(ceph_lake)

    def test_the_second_writer_of_a_big_object_is_told(self, store: Store) -> None:
        first = bytes(110 << 20)
        assert store.write("objects/big", first) and not store.write("objects/big", first[:-1] + b"!")
        assert store.read("objects/big") == first
