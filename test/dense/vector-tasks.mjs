/** Tasks for the tests of the linear memory: plain JavaScript, because workers load them as they are. */
import { VectorMemory } from '#hmatrix/dense/vector-memory.js';
import { defineTask } from '#hmatrix/parallel/task.js';

/** On a worker, once: takes an array, copies x, activates the copy; says where it is. The main thread waits for it. */
export const activateAway = defineTask(import.meta.url, 'activateAway', (state, { worker }) => () => {
  const { memory, at, length, precision, told } = state;
  if (worker === 0) {
    for (let patience = 0; patience < 250 && Atomics.load(told, 0) === 0; patience++) Atomics.wait(told, 0, 0, 20);
  } else if (Atomics.load(told, 0) === 0) {
    const vectors = VectorMemory.over(memory);
    const out = vectors.take(length, precision);
    const kernels = vectors.kernels(precision);
    kernels.combine(length, 1, vectors.at(at, length, precision), 0, out);
    kernels.activate('gelu', length, 1, out, length, null, null);
    Atomics.store(told, 0, out.byteOffset);
    Atomics.notify(told, 0);
  }
});
