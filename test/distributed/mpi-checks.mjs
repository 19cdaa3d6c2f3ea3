/** One rank of MPI that checks all operations, whole and in pieces, and prints what rank 0 knows of all ranks. */
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { rankFirst } from '#hmatrix/core/sum-tree.js';
import { failuresOf } from './collective-checks.mjs';
import { sumOverRanks } from './tree-sums.mjs';

const world = await openMpi({ largestCount: Number(process.argv[2]) });
const failures = failuresOf(world);
// A sum whose bits depend on the order of its additions; all ranks must have the same.
const { size } = world;
const shares = Array.from({ length: size }, (_, r) => rankFirst(13, size, r + 1) - rankFirst(13, size, r));
const total = sumOverRanks(world, { counts: shares, length: 7, single: false, seed: 0, exchange: 40 });
const extremes = [total.slice(), total.slice()];
world.allreduce(extremes[0], 'max');
world.allreduce(extremes[1], 'min');
if (!total.every((value, k) => value === extremes[0][k] && value === extremes[1][k]))
  failures.push(`rank ${world.rank} has another ordered sum than others`);

// Lines of all ranks, to rank 0.
const own = new TextEncoder().encode(JSON.stringify(failures));
const counts = new Int32Array(world.size);
world.allgather(
  Int32Array.of(own.length),
  counts,
  counts.map(() => 1),
);
const all = world.rank === 0 ? new Uint8Array(counts.reduce((a, b) => a + b)) : undefined;
world.gather(own, all, counts, 0);
if (world.rank === 0) {
  let at = 0;
  const found = Array.from(counts, (count) => JSON.parse(new TextDecoder().decode(all.subarray(at, (at += count)))));
  const { description } = world;
  process.stdout.write(`${JSON.stringify({ size, description, failures: found.flat(), sum: Array.from(total) })}\n`);
}
world.close();
