"""Memory of batches: aligned, and used again when nothing that was made in it is left."""

import numpy as np
import pytest

from seqtrain.loading.memory import HeapBuffers, Layout, SharedBuffers
from seqtrain.structure import FieldSpec, named_leaves

SPEC = ({"a": FieldSpec((3, 5), "uint8"), "b": FieldSpec((), "float32")}, FieldSpec((7,), "int32"))
ROWS = 9


@pytest.fixture(params=[HeapBuffers, SharedBuffers])
def buffers(request):
    buffers = request.param(SPEC, ROWS, 5)
    buffers.reuse = True
    yield buffers
    buffers.close()


def lent(buffers, num_rows=ROWS):
    buffer = buffers.take()
    return buffers.lend(buffer, buffers.rows(buffer, num_rows))


def addresses(batch):
    return [array.__array_interface__["data"][0] for _, array in named_leaves(batch)]


def test_arrays_are_aligned_to_64_bytes_and_lie_apart(buffers):
    batch = lent(buffers, 4)
    assert [array.shape for _, array in named_leaves(batch)] == [(4, 3, 5), (4,), (4, 7)]
    assert all(address % 64 == 0 for address in addresses(batch))
    for number, (_, array) in enumerate(named_leaves(batch)):
        array[...] = number
    assert [int(array.max()) for _, array in named_leaves(batch)] == [0, 1, 2]


@pytest.mark.parametrize(
    "part",
    [
        lambda batch: batch[1],
        lambda batch: batch[0]["a"][2:4].reshape(-1)[3:],
        lambda batch: batch[1].T[1:].view(),
        lambda batch: memoryview(batch[0]["b"]),
        lambda batch: np.asarray(memoryview(batch[1])[1:]),
    ],
    ids=["array", "view of a view", "transposed", "memoryview", "array of a memoryview"],
)
def test_memory_is_used_again_only_when_the_last_view_of_an_array_is_gone(buffers, part):
    batch = lent(buffers)
    at = addresses(batch)
    kept = part(batch)
    del batch
    others = [lent(buffers) for _ in range(2)]
    assert not any(set(addresses(other)) & set(at) for other in others)
    del kept, others
    taken = [buffers.take() for _ in range(5)]
    assert any(addresses(buffers.rows(buffer, ROWS)) == at for buffer in taken)


def test_memory_that_the_consumer_may_use_without_keeping_its_arrays_is_never_used_again():
    buffers = HeapBuffers(SPEC, ROWS, 3)
    batch = lent(buffers)
    at, memory = addresses(batch), batch[1]
    while isinstance(memory.base, np.ndarray):
        memory = memory.base  # is all that is kept, so that nobody else gets it from the system
    del batch
    assert not any(set(addresses(other)) & set(at) for other in [lent(buffers) for _ in range(3)])


def test_a_consumer_that_keeps_batches_of_processes_leaves_a_buffer_for_the_next():
    buffers = SharedBuffers(SPEC, ROWS, 3)
    buffers.reuse = True
    kept = [lent(buffers) for _ in range(10)]
    assert all(address % 64 == 0 for batch in kept for address in addresses(batch))
    assert buffers.take() is not None
    buffers.close()


def test_a_layout_gives_the_same_arrays_to_all_who_map_a_block():
    layout = Layout.of_rows(SPEC, ROWS)
    block = bytearray(layout.size)
    written, read = layout.arrays(block), layout.arrays(block, 2)
    written[1][...] = np.arange(ROWS * 7).reshape(ROWS, 7)
    assert read[1].tolist() == [list(range(7)), list(range(7, 14))]
