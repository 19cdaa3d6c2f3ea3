/** Graphs computed: values of leaves in, values of nodes out. */
import type { Precision } from '#hmatrix/core/floats.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { VectorMemory } from '#hmatrix/dense/vector-memory.js';
import { ancestorsOf } from '#hmatrix/tape/differentiate.js';
import { Execution } from '#hmatrix/tape/execution.js';
import type { Graph } from '#hmatrix/tape/graph.js';
import type { Node } from '#hmatrix/tape/node.js';
import { aligned, makePlan, type Plan } from '#hmatrix/tape/plan/plan.js';
import { numbersOf } from '#hmatrix/tape/shape.js';

/** Memory of so many bytes, behind its own. */
const openMemory = (bytes: number): { memory: VectorMemory; bytes: number; byteOffset: number } => {
  const memory = VectorMemory.open(bytes + 2 ** 16, 'Tests of the tape');
  return { memory, bytes, byteOffset: memory.take(bytes / 8, 'f64').byteOffset };
};
let room = openMemory(2 ** 22);

/** Numbers of leaves. */
export type Values = ReadonlyMap<Node, ArrayLike<number>>;

export interface EvaluateOptions {
  readonly count: number;
  readonly precision?: Precision;
  /** Most samples of the plan. Default `count`. */
  readonly capacity?: number;
  /** Whether every node has memory of its own. Default false. */
  readonly apart?: boolean;
}

/** A plan on the tests' memory: everything in it stands there. */
export function execute(plan: Plan, precision: Precision): Execution {
  const numbers = aligned(plan.kept) + aligned(plan.work) + aligned(plan.scratch);
  if (8 * numbers > room.bytes) room = openMemory(8 * numbers);
  const { memory, byteOffset } = room;
  const heap = memory.all(precision);
  const kept = byteOffset / heap.BYTES_PER_ELEMENT;
  const work = kept + aligned(plan.kept);
  const scratch = work + aligned(plan.work);
  const rest = scratch + aligned(plan.scratch);
  // What is read before it is written shows.
  heap.fill(Number.NaN, kept, rest);
  const regions = { kept, work, scratch, constants: rest, parameters: rest, gradient: rest, direction: rest };
  return new Execution(plan, { memory, blas: defaultBlas(), precision }, { ...regions, result: rest });
}

/** The outputs' numbers. */
export function evaluate(
  { nodes }: Graph,
  outputs: readonly Node[],
  values: Values,
  { count, precision = 'f64', capacity = count, apart = false }: EvaluateOptions,
): Float64Array[] {
  const needed = new Set(ancestorsOf(outputs));
  const read = apart ? nodes.filter((node) => needed.has(node) && node.op !== 'leaf') : outputs;
  const plan = makePlan({
    phases: [read.map((node) => ({ node, place: null }))],
    phaseOf: () => 0,
    leafPlace: () => null,
    capacity,
  });
  const execution = execute(plan, precision);
  execution.setCount(count);
  for (const [leaf, numbers] of values) if (plan.places.has(leaf.id)) execution.array(leaf).set(numbers);
  execution.run(0);
  return outputs.map((node) => Float64Array.from(execution.array(node).subarray(0, numbersOf(node.shape, count))));
}
