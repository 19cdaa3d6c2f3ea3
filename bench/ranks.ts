/**
 * Ranks that share a batch out: `node dist/bench/ranks.js [--write]` times gradient and Gauss–Newton product of an
 * autoencoder on 8,000 samples in one process without MPI, as one rank of mpirun and as two, a worker each. Of each
 * work the least of several turns: by the clock, and of the processor outside of communication, on the rank that took
 * longest, which neighbors on the machine and ranks that wait by spinning change less.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { RandomStream } from '../src/core/random.js';
import { openBlas } from '../src/dense/backend.js';
import { view } from '../src/dense/matrix.js';
import type { CommunicatedArray, Communicator, Counts } from '../src/distributed/communicator.js';
import { openMpi } from '../src/distributed/open-mpi.js';
import { initialParameters } from '../src/network/initialize.js';
import { defineNetwork } from '../src/network/network.js';
import { Team } from '../src/parallel/team.js';
import { PerceptronObjective } from '../src/training/objective/perceptron-objective.js';
import { rounded, writeRecord } from './record.js';
import { replaceSection } from './section.js';

const WIDTHS = [784, 1000, 500, 250, 30, 250, 500, 1000, 784];
const SAMPLES = 8000;
const TURNS = 7;
const WORKS = ['gradient', 'product'] as const;

/** Seconds of a work, and the megabytes that a rank receives in it. */
interface Cost {
  readonly wall: number;
  readonly processor: number;
  readonly communication: number;
  readonly megabytes: number;
}

interface RanksResult {
  readonly how: string;
  readonly gradient: Cost;
  readonly product: Cost;
  /** Checksum of gradient and product. */
  readonly bits: string;
}

/** Seconds within the communicator's calls, by the clock and of the processor, and bytes that it received. */
interface Within {
  wall: number;
  processor: number;
  bytes: number;
}

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** The communicator, whose collective calls are timed. */
function timed(communicator: Communicator, within: Within): Communicator {
  const own = Object.create(communicator) as Communicator;
  const time = (work: () => void, bytes: number): void => {
    const [begin, before] = [performance.now(), processorSeconds()];
    work();
    within.wall += (performance.now() - begin) / 1000;
    within.processor += processorSeconds() - before;
    within.bytes += bytes;
  };
  const of = { configurable: true, writable: true };
  Object.defineProperties(own, {
    rank: { value: communicator.rank },
    size: { value: communicator.size },
    alltoall: {
      ...of,
      value: (send: CommunicatedArray, counts: Counts, receive: CommunicatedArray, from: Counts) => {
        const others = receive.byteLength - from[communicator.rank] * receive.BYTES_PER_ELEMENT;
        time(() => {
          communicator.alltoall(send, counts, receive, from);
        }, others);
      },
    },
    allgather: {
      ...of,
      value: (part: CommunicatedArray | undefined, all: CommunicatedArray, counts: Counts) => {
        const others = all.byteLength - counts[communicator.rank] * all.BYTES_PER_ELEMENT;
        time(() => {
          communicator.allgather(part, all, counts);
        }, others);
      },
    },
  });
  return own;
}

/** Times both works on this rank; of several the first prints what the slowest took. */
async function measure(): Promise<void> {
  const world = await openMpi();
  const within: Within = { wall: 0, processor: 0, bytes: 0 };
  const team = await Team.open({ workers: 1, communicator: timed(world, within) });
  const network = defineNetwork({ widths: WIDTHS, activation: 'tanh' });
  const objective = await PerceptronObjective.open({
    network,
    loss: 'squared-error',
    precision: 'f32',
    batchSize: SAMPLES,
    curvature: 'gauss-newton',
    spare: 2 * (network.parameters + 16),
    blas: openBlas(),
    team,
  });
  objective.parameters.set(initialParameters(network, 1));
  const x = view(new Float32Array(WIDTHS[0] * SAMPLES), 0, WIDTHS[0], SAMPLES);
  new RandomStream(2).fillNormal(x.data);
  objective.load({ inputs: x, targets: x });
  const [v, out] = [objective.vector(), objective.vector()];
  new RandomStream(3).fillNormal(v);
  const works = {
    gradient: () => objective.evaluate(),
    product: () => {
      objective.product('gauss-newton', v, out);
    },
  };
  const costs = { gradient: [] as number[][], product: [] as number[][] };
  for (let turn = -1; turn < TURNS; turn++)
    for (const name of WORKS) {
      world.barrier();
      Object.assign(within, { wall: 0, processor: 0, bytes: 0 });
      const [begin, before] = [performance.now(), processorSeconds()];
      works[name]();
      const wall = (performance.now() - begin) / 1000;
      const own = processorSeconds() - before - within.processor;
      if (turn >= 0) costs[name].push([wall, own, within.wall, within.bytes / 1e6]);
    }
  const least = (name: 'gradient' | 'product'): Cost => {
    const best = Float64Array.from({ length: 4 }, (_, k) => Math.min(...costs[name].map((cost) => cost[k])));
    world.allreduce(best, 'max');
    const [wall, processor, communication, megabytes] = Array.from(best, rounded);
    return { wall, processor, communication, megabytes };
  };
  const bits = createHash('sha1').update(objective.gradient).update(out).digest('hex');
  const result = { gradient: least('gradient'), product: least('product'), bits };
  if (world.rank === 0) console.log(JSON.stringify(result));
  objective.close();
  await team.close();
  world.close();
}

const MPIRUN = ['mpirun.openmpi', '--allow-run-as-root', '--oversubscribe'];

function resultOf(how: string, launcher: readonly string[]): RanksResult {
  const [file, ...args] = [...launcher, process.execPath, fileURLToPath(import.meta.url), '--measure'];
  const told = execFileSync(file, args, { encoding: 'utf8', env: { ...process.env, OPENBLAS_NUM_THREADS: '1' } });
  return { how, ...(JSON.parse(told) as Omit<RanksResult, 'how'>) };
}

const seconds = (value: number): string => value.toPrecision(3);

/** The table of docs/benchmarks.md. */
function table(results: readonly RanksResult[]): string {
  const [alone] = results;
  const row = ({ how, gradient, product }: RanksResult): string =>
    `| ${[
      how,
      ...[gradient, product].flatMap((cost, k) => [
        seconds(cost.wall),
        seconds(cost.processor),
        (alone[WORKS[k]].processor / cost.processor).toFixed(2),
      ]),
      seconds(gradient.communication),
      gradient.megabytes.toFixed(1),
    ].join(' | ')} |`;
  return [
    '| | gradient, s | processor s | times as fast | product, s | processor s | times as fast | exchange, s | MB |',
    '|---|---|---|---|---|---|---|---|---|',
    ...results.map(row),
  ].join('\n');
}

if (process.argv.includes('--measure')) await measure();
else {
  const results = [
    resultOf('one process', []),
    resultOf('1 rank', [...MPIRUN, '-n', '1']),
    resultOf('2 ranks', [...MPIRUN, '-n', '2']),
  ];
  if (new Set(results.map(({ bits }) => bits)).size > 1) throw new Error('The bits differ.');
  console.log(JSON.stringify(results, null, 1));
  if (process.argv.includes('--write')) {
    console.log(writeRecord('ranks', { network: `${WIDTHS.join('-')}, float32`, samples: SAMPLES, results }));
    replaceSection('ranks', table(results));
  }
}
