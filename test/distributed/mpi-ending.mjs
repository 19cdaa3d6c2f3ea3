/** Ranks of which one ends while the others wait for it: `node mpi-ending.mjs HOW WAITING`. */
import { openMpi } from '#hmatrix/distributed/open-mpi.js';

const [how, waiting] = process.argv.slice(2);
const world = await openMpi();
const { rank, size } = world;
process.stdout.write(`pid ${process.pid}\n`);
world.barrier();
const ENDINGS = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  throw: () => {
    throw new RangeError('what went wrong');
  },
  reject: () => Promise.reject(new RangeError('what went wrong')),
  status: () => process.exit(5),
  abort: () => world.abort(7),
  end: () => undefined,
};
const data = new Float64Array(1000);
const counts = Array.from({ length: size }, () => 2);
const WAITS = {
  receive: () => world.receive(data, 1, 3),
  send: () => world.send(new Float64Array(1e6), 1, 3),
  allreduce: () => world.allreduce(data, 'sum'),
  startAllreduce: () => world.startAllreduce(data, 'sum').wait(),
  alltoall: () => world.alltoall(new Int32Array(2 * size), counts, new Int32Array(2 * size), counts),
  barrier: () => world.barrier(),
  nothing: () => undefined,
};
if (rank === 1) ENDINGS[how]();
else WAITS[waiting]();
