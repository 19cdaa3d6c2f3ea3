/** Two ranks that misuse their communicator; rank 1 prints the errors that it gets: `node mpi-misuse.mjs [waits]`. */
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { errorOf } from './collective-checks.mjs';

const world = await openMpi();
const data = (length) => new Float64Array(length);
if (world.rank === 0) {
  world.send(data(2), 1, 1);
  world.send(data(9), 1, 2);
  world.barrier();
  world.send(data(1), 1, 3);
  world.close();
} else {
  const short = errorOf(() => world.receive(data(5), 0, 1));
  // Open MPI 4.1 hangs in a second message that is too long.
  const waits = process.argv[2] === 'waits';
  const long = errorOf(() => (waits ? world.startReceive(data(5), 0, 2).wait() : world.receive(data(5), 0, 2)));
  const started = world.startReceive(data(1), 0, 3);
  const pending = errorOf(() => world.close());
  world.barrier();
  started.wait();
  let second = 'none';
  try {
    await openMpi();
  } catch (error) {
    second = `${error.name}: ${error.message}`;
  }
  world.close();
  world.close();
  process.stdout.write(`${JSON.stringify({ short, long, pending, second, closed: errorOf(() => world.barrier()) })}\n`);
}
