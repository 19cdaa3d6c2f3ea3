/**
 * The graphs of tasks of one matrix: `node dist/bench/graph.js NAME` compresses it and prints one JSON line: for each
 * operation the flops, the critical path and the makespans of 1, 2, 4 and 8 simulated workers, in flops
 * (graph-flops.ts, list-schedule.ts). No clock is read: the machine does not matter.
 */
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { kernelOfFamily } from '../src/source/kernels/table.js';
import { WORKERS, GRAPH_CASES, type GraphCase } from './graph-cases.js';
import { compressGraph, factorGraph, productGraph, solveGraph, type WeightedGraph } from './graph-flops.js';
import { criticalPath, makespan } from './list-schedule.js';
import { rounded } from './record.js';

export interface GraphFigures {
  readonly tasks: number;
  /** Flops in all, on the critical path, and until the last of 2, 4 and 8 workers ends. */
  readonly flops: number;
  readonly criticalPath: number;
  readonly makespans: readonly number[];
}

export interface GraphResult extends GraphCase {
  readonly maxRank: number;
  readonly compress: GraphFigures;
  readonly product: GraphFigures;
  readonly factor: GraphFigures;
  readonly solve: GraphFigures;
}

function figuresOf({ graph, flops }: WeightedGraph): GraphFigures {
  return {
    tasks: graph.count,
    flops: rounded(flops.reduce((sum, task) => sum + task, 0)),
    criticalPath: rounded(criticalPath(graph, flops)),
    makespans: WORKERS.map((workers) => rounded(makespan(graph, flops, workers))),
  };
}

const chosen = GRAPH_CASES.find(({ name }) => name === process.argv[2]);
if (chosen === undefined) throw new Error(`There are the graphs of ${GRAPH_CASES.map(({ name }) => name).join(', ')}.`);
const team = await Team.open({});
const { size, points, family, bandwidth, options } = chosen;
const cloud = points === 'normal' ? normalPoints(size, 6, 1) : uniformPoints(size, points === 'square' ? 2 : 3, 1);
const source = kernelSource(cloud, kernelOfFamily(family, bandwidth), { blas: team.blas });
const matrix = await compress(source, { ...options, seed: 0 }, { team });
const { data } = matrix;
const result: GraphResult = {
  ...chosen,
  maxRank: Math.max(...matrix.ranks().map(({ max }) => max)),
  compress: figuresOf(compressGraph(data)),
  product: figuresOf(productGraph(data)),
  factor: figuresOf(factorGraph(data)),
  solve: figuresOf(solveGraph(data)),
};
console.log(JSON.stringify(result));
await team.close();
