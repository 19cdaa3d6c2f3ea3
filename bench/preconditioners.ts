/**
 * One case of the tables of preconditioners in a process of its own: `node dist/bench/preconditioners.js NAME SIZE
 * SAMPLES EPOCHS [IMAGES LABELS]` prints one JSON line: the record. SIZE and SAMPLES of 0 are the case's own.
 */
import { digitImages } from '../datasets/digits.js';
import { named } from '../datasets/named.js';
import { readLabeledImages } from '../src/experiment/network-data.js';
import { DEFAULT_PRECONDITIONERS, NETWORKS } from '../src/experiment/preconditioner-plan.js';
import type { PreconditionerRecord } from '../src/experiment/preconditioner-record.js';
import { runPreconditioners, type NetworkSetup } from '../src/experiment/preconditioner-run.js';
import { Team } from '../src/parallel/team.js';
import { PRECONDITIONER_CASES } from './preconditioners-cases.js';

export interface PreconditionerResult {
  readonly name: string;
  readonly record: PreconditionerRecord;
}

const [name, size, samples, epochs, images, labels] = process.argv.slice(2);
const chosen = PRECONDITIONER_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(
    `No table of preconditioners is called ${name}; there are ` +
      `${PRECONDITIONER_CASES.map((one) => one.name).join(', ')}.`,
  );

async function setUp(k: number): Promise<NetworkSetup> {
  const network = NETWORKS[k];
  const count = Number(samples) > 0 ? Number(samples) : network.samples;
  const generated = images === undefined ? digitImages(count, 0) : undefined;
  const data =
    generated === undefined
      ? { ...(await readLabeledImages(images, labels, count)), name: 'MNIST test images' }
      : { ...generated, name: 'generated digits' };
  return { ...network, samples: count, data, epochs: Number(epochs), batchSize: 50, learningRate: 1e-3 };
}

const team = await Team.open({});
const matrices =
  chosen.matrix === undefined
    ? []
    : [{ name: chosen.matrix.name, size: Number(size) > 0 ? Number(size) : chosen.matrix.size }];
const record = await runPreconditioners(
  {
    open: (one) => named(one.name, one.size, { blas: team.blas }),
    printed: chosen.published === true ? matrices : [],
    swept: matrices,
    networks: chosen.network === undefined ? [] : [await setUp(chosen.network)],
    methods: chosen.network === undefined ? DEFAULT_PRECONDITIONERS : [...DEFAULT_PRECONDITIONERS, 'kronecker-sum'],
    seed: 0,
  },
  { team },
);
console.log(JSON.stringify({ name, record } satisfies PreconditionerResult));
await team.close();
