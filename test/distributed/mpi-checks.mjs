/** One rank of MPI that checks all operations, whole and in pieces, and prints what rank 0 knows of all ranks. */
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { failuresOf } from './collective-checks.mjs';

const world = await openMpi({ largestCount: Number(process.argv[2]) });
const failures = failuresOf(world);
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
  const { size, description } = world;
  process.stdout.write(`${JSON.stringify({ size, description, failures: found.flat() })}\n`);
}
world.close();
