/** What ranks that are threads run in tests. */
import { NonFiniteError } from '#hmatrix/core/errors.js';
import { recorded } from '#hmatrix/distributed/recorded.js';
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';
import { awaitTogether, together } from '#hmatrix/distributed/together.js';
import { errorOf, failuresOf } from './collective-checks.mjs';
import { sumOverRanks } from './tree-sums.mjs';

const open = ({ world, rank }) => threadCommunicator(world, rank);

export function checks(start) {
  const world = open(start);
  const found = failuresOf(start.data.recording ? recorded(world) : world);
  world.close();
  return { size: world.size, description: world.description, failures: found };
}

/** Messages longer than a channel, both ways at once, and started before anybody receives. */
export function large(start) {
  const world = open(start);
  const other = 1 - world.rank;
  const data = (rank) => Float64Array.from({ length: 100_003 }, (_, k) => k * (rank + 1));
  const into = new Float64Array(100_003);
  const sent = world.startSend(data(world.rank), other, 1);
  world.barrier();
  world.receive(into, other, 1);
  sent.wait();
  world.close();
  return into.every((value, k) => value === k * (other + 1));
}

/** Rank 1 ends as asked while the others wait as asked; each of them returns the error that it gets. */
export function ending(start) {
  const world = open(start);
  const { how, waiting } = start.data;
  if (world.rank === 1) {
    if (how === 'throw') throw new RangeError('what went wrong');
    if (how === 'status') process.exit(5);
    if (how === 'abort') world.abort(7);
    if (how === 'close') world.close();
    return 'ended';
  }
  const data = new Float64Array(50_000);
  const counts = Array.from({ length: world.size }, () => 2);
  const waits = {
    receive: () => world.receive(data, 1, 3),
    send: () => world.send(data, 1, 3),
    allreduce: () => world.allreduce(data, 'sum'),
    alltoall: () => world.alltoall(new Int32Array(6), counts, new Int32Array(6), counts),
    barrier: () => world.barrier(),
  };
  return errorOf(waits[waiting]);
}

/** How work ends on all ranks that some have thrown in: a typed error of rank 1, one of another kind, both, or none. */
export async function failures(start) {
  const world = open(start);
  const typed = () => {
    throw new NonFiniteError('A number is not one.', { value: NaN, sample: 7 });
  };
  const other = () => {
    throw new RangeError('out of it');
  };
  const found = [];
  for (const thrown of [
    [],
    [[1, typed]],
    [[2, other]],
    [
      [1, typed],
      [2, other],
    ],
  ]) {
    const work = () => new Map(thrown).get(world.rank)?.() ?? 'done';
    const told = (error) => `${error.name}: ${error.message} ${JSON.stringify(error.data?.sample ?? null)}`;
    let ended;
    try {
      ended = together(world, work);
    } catch (error) {
      ended = told(error);
    }
    const awaited = await awaitTogether(world, async () => work()).catch(told);
    found.push(ended === awaited ? ended : [ended, awaited]);
  }
  world.close();
  return found;
}

/** The bits of an ordered sum of parts that `value` gives. */
export function sums(start) {
  const world = open(start);
  const found = start.data.cases.map((one) => sumOverRanks(world, one));
  world.close();
  return found;
}

/** What each rank has communicated, by phases. */
export function traffic(start) {
  const world = recorded(open(start));
  const { rank, size } = world;
  world.broadcast(new Float64Array(10), 0);
  world.phase('sums');
  const counts = Array.from({ length: size }, () => 4);
  sumOverRanks(world, { counts, length: 100, single: false, seed: 1, exchange: 400 });
  world.phase('messages');
  if (rank === 0) world.send(new Uint8Array(7), 1, 0);
  if (rank === 1) world.receive(new Uint8Array(7), 0, 0);
  world.split(0, rank).allreduce(new Float32Array(8), 'max');
  world.close();
  return world.traffic;
}
