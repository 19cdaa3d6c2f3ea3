/**
 * One network of layers in a process of its own: `node dist/bench/layer-hessian.js NAME SAMPLES EPOCHS`, the model's
 * own where they are empty, prints one JSON line, the record of its table.
 */
import { openTableModel } from '../src/cli/model-data.js';
import { runGraphTable } from '../src/experiment/graph-table-run.js';
import type { TableRecord } from '../src/experiment/table-record.js';
import { Team } from '../src/parallel/team.js';
import { LAYER_HESSIAN_CASES } from './layer-hessian-cases.js';

export interface LayerHessianResult {
  readonly name: string;
  readonly table: TableRecord;
}

const [name, samples, epochs] = process.argv.slice(2);
const { model } = LAYER_HESSIAN_CASES.find((one) => one.name === name)!;
const team = await Team.open({});
const seed = 0;
const how = { samples: Number(samples), samplesGiven: samples !== '', seed };
const opened = await openTableModel(model, how, { team });
const settings = { batchSize: 50, learningRate: 1e-3, seed, ...(epochs === '' ? {} : { epochs: Number(epochs) }) };
const table = await runGraphTable({ ...opened, ...settings, methods: ['hm', 'rsvd', 'kfac', 'ekfac'] }, { team });
console.log(JSON.stringify({ name, table } satisfies LayerHessianResult));
await team.close();
