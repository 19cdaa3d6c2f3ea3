/**
 * One network in a process of its own: `node dist/bench/hessian.js NAME SAMPLES EPOCHS [IMAGES LABELS]` prints one JSON
 * line: the record of its table, rates of entries, errors of sampled entries. The record's peak memory is that of the
 * table alone.
 */
import { digitImages } from '../datasets/digits.js';
import { readLabeledImages } from '../src/experiment/network-data.js';
import { DEFAULT_TABLE_METHODS } from '../src/experiment/table-plan.js';
import type { TableRecord } from '../src/experiment/table-record.js';
import { runTable, trainedModel, type TableSetup } from '../src/experiment/table-run.js';
import { Team } from '../src/parallel/team.js';
import { entryRates, sampledErrors, type EntryRates, type SampledErrors } from './entry-rates.js';
import { HESSIAN_CASES } from './hessian-cases.js';

export interface HessianResult {
  readonly name: string;
  readonly table: TableRecord;
  readonly entryGflops: EntryRates;
  readonly sampledEntries: SampledErrors;
}

const [name, samples, epochs, images, labels] = process.argv.slice(2);
const chosen = HESSIAN_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(`No network is called ${name}; there are ${HESSIAN_CASES.map((one) => one.name).join(', ')}.`);
const count = Number(samples);
const generated = images === undefined ? digitImages(count, 0) : undefined;
const data =
  generated === undefined
    ? { ...(await readLabeledImages(images, labels, count)), name: 'MNIST test images' }
    : { ...generated, name: 'generated digits' };
const setup: TableSetup = {
  ...chosen,
  bias: false,
  data,
  samples: count,
  epochs: Number(epochs),
  batchSize: 50,
  learningRate: 1e-3,
  seed: 0,
  // The ordinary format beside the others where it can be made in reasonable time.
  methods:
    chosen.widths.length === 3 && chosen.widths[1] <= 10 ? [...DEFAULT_TABLE_METHODS, 'hss'] : DEFAULT_TABLE_METHODS,
};
const team = await Team.open({});
const table = await runTable(setup, { team });
const { model } = await trainedModel(setup, { team });
const result: HessianResult = {
  name,
  table,
  entryGflops: entryRates(model, team.blas),
  sampledEntries: sampledErrors(model, team.blas),
};
console.log(JSON.stringify(result));
await team.close();
