/**
 * The primitives of the tape as launches, by name.
 */
import type { Step } from '../plan/plan.js';
import type { Node } from '../node.js';
import { coefficientsOf } from '../primitives/sum.js';
import type { ElementwiseName } from '../primitives/elementwise.js';
import type { Over } from '../primitives/spread.js';
import { columnsOf, numbersOf, positionsOf, rowsOf, type Shape } from '../shape.js';
import { activationKernel } from './activations.js';
import { combineKernel, GATHER, SPREAD } from './maps.js';
import * as moves from './moves.js';
import { bilinear } from './products.js';
import type { Lowering, Recorder } from './recorder.js';
import { logSumExp, normalize, normalizeTangent, reciprocalDeviation, softmax } from './statistics.js';

const nothing: Lowering = () => undefined;

const sum: Lowering = (recorder, node, beta) => {
  const coefficients = coefficientsOf(node);
  const places = node.inputs.map((input) => recorder.at(input));
  const count = numbersOf(node.shape, recorder.samples);
  recorder.run(combineKernel(places.length), count, [recorder.at(node), beta, ...places], coefficients);
};

const elementwise: Lowering = (recorder, node, _, together) => {
  const { function: name, epsilon } = node.attributes as unknown as { function: ElementwiseName; epsilon: number };
  const orderOf = ({ attributes }: Node): number => attributes['order'] as number;
  const nodes = [node, ...together].sort((a, b) => orderOf(a) - orderOf(b));
  const places = [node.inputs[0], ...nodes].map((one) => recorder.at(one));
  recorder.run(activationKernel(name, nodes.map(orderOf)), numbersOf(node.shape, recorder.samples), places, [epsilon]);
};

/** How numbers of x and of what is spread to it, or summed from it, belong together. */
interface Spreading {
  /** Number i of x has the source's number (i/divisor) mod modulus + (i/block)·jump. */
  readonly divisor: number;
  readonly modulus: number;
  readonly block: number;
  readonly jump: number;
  /** The source's number i has x's (i mod own) + (i/own)·apart + k·step, k below `terms`. */
  readonly own: number;
  readonly apart: number;
  readonly step: number;
  readonly terms: number;
}

function spreadingOf(x: Shape, over: Over, samples: number): Spreading {
  const [rows, columns] = [rowsOf(x), columnsOf(x, samples)];
  const all = rows * columns;
  const flat = { divisor: 1, block: all, jump: 0, apart: 0 };
  switch (over) {
    case 'columns':
      return { ...flat, modulus: rows, own: rows, step: rows, terms: columns };
    case 'rows':
      return { ...flat, divisor: rows, modulus: columns, own: 1, apart: rows, step: 1, terms: rows };
    case 'positions': {
      const block = rows * (x.perSample ? samples : 1);
      return { ...flat, modulus: block, own: block, step: block, terms: positionsOf(x) };
    }
    case 'samples': {
      const block = rows * samples;
      return { ...flat, modulus: rows, block, jump: rows, own: rows, apart: block, step: rows, terms: samples };
    }
    case 'all':
      return { ...flat, modulus: 1, own: 1, step: 1, terms: all };
  }
}

const meanOf = ({ attributes }: Node, { terms }: Spreading): number => (attributes['mean'] === true ? 1 / terms : 1);

const spread: Lowering = (recorder, node, beta) => {
  const s = spreadingOf(node.shape, node.attributes['over'] as Over, recorder.samples);
  const places = [recorder.at(node), beta, recorder.at(node.inputs[0])];
  const integers = [...places, s.divisor, s.modulus, s.block, s.jump];
  recorder.run(SPREAD, numbersOf(node.shape, recorder.samples), integers, [meanOf(node, s)]);
};

const gather: Lowering = (recorder, node, beta) => {
  const [x] = node.inputs;
  const s = spreadingOf(x.shape, node.attributes['over'] as Over, recorder.samples);
  const integers = [recorder.at(node), beta, s.terms, recorder.at(x), s.own, s.apart, s.step];
  recorder.run(GATHER, numbersOf(node.shape, recorder.samples), integers, [meanOf(node, s)]);
};

const LOWERINGS: Readonly<Record<string, Lowering>> = {
  leaf: nothing,
  reshape: nothing,
  sum,
  bilinear,
  elementwise,
  spread,
  gather,
  softmax,
  logSumExp,
  reciprocalDeviation,
  normalize,
  normalizeTangent,
  lastRow: moves.lastRow,
  intoLastRow: moves.intoLastRow,
  flatten: moves.flatten,
  unflatten: moves.unflatten,
  rows: moves.rows,
  place: moves.placeRows,
  columnsAt: moves.columnsAt,
  addColumnsAt: moves.addColumnsAt,
  maximum: moves.maximum,
  pick: moves.pick,
  putBack: moves.putBack,
  oneHot: moves.oneHot,
  present: moves.present,
  hideKeys: moves.hideKeys,
};

/** Takes down what the steps of a phase are on a device. */
export function recordSteps(recorder: Recorder, steps: readonly Step[]): void {
  for (const { node, beta, together } of steps) {
    recorder.begin();
    LOWERINGS[node.op](recorder, node, beta, together);
  }
}
