/** Every primitive on leaves of random shapes: what the tests of derivatives go through. */
import type { RandomStream } from '#hmatrix/core/random.js';
import type { Geometry } from '#hmatrix/tape/forms/geometry.js';
import { Graph } from '#hmatrix/tape/graph.js';
import type { Node } from '#hmatrix/tape/node.js';
import { bilinear } from '#hmatrix/tape/primitives/bilinear.js';
import { lastRow } from '#hmatrix/tape/primitives/biases.js';
import { elementwise, multiply, type ElementwiseName } from '#hmatrix/tape/primitives/elementwise.js';
import { maxima } from '#hmatrix/tape/primitives/maximum.js';
import { normalize, scaleOver } from '#hmatrix/tape/primitives/normalize.js';
import { columnsAt, flatten, place, reshape, rows, unflatten } from '#hmatrix/tape/primitives/rearrange.js';
import { columnDots, logSumExp, scaleColumns, softmax } from '#hmatrix/tape/primitives/softmax.js';
import { gather, spread, sourceShape, type Over } from '#hmatrix/tape/primitives/spread.js';
import { sum } from '#hmatrix/tape/primitives/sum.js';
import { hideKeys } from '#hmatrix/tape/primitives/tokens.js';
import { numbersEach, numbersOf, type Shape } from '#hmatrix/tape/shape.js';

/** A node, the leaves along which it is differentiated, and the numbers of all leaves. */
export interface Case {
  readonly graph: Graph;
  readonly node: Node;
  readonly along: readonly Node[];
  readonly values: Map<Node, Float64Array>;
  readonly count: number;
}

/** A case under construction. */
export class CaseBuilder {
  readonly graph = new Graph();
  readonly values = new Map<Node, Float64Array>();
  readonly along: Node[] = [];
  readonly random: RandomStream;
  readonly count: number;

  constructor(random: RandomStream, count = 1 + random.integer(4)) {
    this.random = random;
    this.count = count;
  }

  /** 1 to `most`. */
  size(most = 5): number {
    return 1 + this.random.integer(most);
  }

  /** A leaf to differentiate along, with normal numbers. */
  leaf(shape: Shape, draw: () => number = () => this.random.normal()): Node {
    const node = this.fixed(shape, draw);
    this.along.push(node);
    return node;
  }

  /** A leaf without derivatives. */
  fixed(shape: Shape, draw: () => number): Node {
    const node = this.graph.leaf('input', this.values.size, shape);
    this.values.set(node, Float64Array.from({ length: numbersOf(shape, this.count) }, draw));
    return node;
  }

  /** Numbers per sample, at one, two or three dimensions. */
  tensor(): Node {
    const dims = Array.from({ length: this.size(3) }, () => this.size());
    return this.leaf({ perSample: true, dims });
  }

  /** Images and windows over them. */
  geometry(dilated = true): Geometry {
    const own = (): [number, number, number, number, number, number] => {
      const [size, kernel, stride] = [this.size(7), this.size(3), this.size(3)];
      const dilation = dilated ? this.size(2) : 1;
      const pad = dilated ? this.random.integer(3) : this.random.integer(kernel);
      const out = Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1;
      return size + 2 * pad > dilation * (kernel - 1) ? [size, kernel, stride, dilation, pad, out] : own();
    };
    const [width, kernelWidth, strideX, dilationX, padX, outWidth] = own();
    const [height, kernelHeight, strideY, dilationY, padY, outHeight] = own();
    const sizes = { width, height, outWidth, outHeight, kernelWidth, kernelHeight };
    return { ...sizes, strideX, strideY, padX, padY, dilationX, dilationY };
  }
}

const shared = (...dims: number[]): Shape => ({ perSample: false, dims });
const perSample = (...dims: number[]): Shape => ({ perSample: true, dims });
const withRows = ({ perSample: each, dims }: Shape, size: number): Shape => ({
  perSample: each,
  dims: [size, ...dims.slice(1)],
});

type Make = (b: CaseBuilder) => Node;

const smooth = (name: ElementwiseName): [string, Make] => [name, (b) => elementwise(b.graph, name, b.tensor())];

/** Away from the corner at zero. */
const cornered = (name: ElementwiseName): [string, Make] => [
  name,
  (b) => {
    const away = (): number => (b.random.uniform() < 0.5 ? -1 : 1) * (0.5 + b.random.uniform());
    return elementwise(b.graph, name, b.leaf(perSample(b.size(), b.size()), away));
  },
];

const OVER: readonly Over[] = ['columns', 'rows', 'positions', 'samples', 'all'];

/** Cases by name. */
export const CASES: Readonly<Record<string, Make>> = {
  sum: (b) => {
    const x = b.tensor();
    return sum(b.graph, [x, b.leaf(x.shape), x, elementwise(b.graph, 'tanh', x)], [1, -2, 1, 1]);
  },
  dense: (b) => {
    const x = b.tensor();
    const units = b.size();
    const w = b.leaf(shared(x.shape.dims[0] + 1, units));
    return bilinear(b.graph, 'dense', { mode: 2 }, [w, x], withRows(x.shape, units));
  },
  bias: (b) => {
    const w = b.leaf(shared(b.size(), b.size()));
    return spread(b.graph, lastRow(b.graph, w), 'columns', perSample(w.shape.dims[1], b.size()));
  },
  convolution: (b) => {
    const [groups, own, made] = [b.size(2), b.size(3), b.size(3)];
    const g = b.geometry();
    const w = b.leaf(shared(own * g.kernelWidth * g.kernelHeight + b.random.integer(2), made * groups));
    const x = b.leaf(perSample(own * groups, g.width, g.height));
    const shape = perSample(made * groups, g.outWidth, g.outHeight);
    return bilinear(b.graph, 'convolution', { mode: 2, settings: { ...g, groups } }, [w, x], shape);
  },
  depthwise: (b) => {
    const channels = b.size();
    const g = b.geometry();
    const w = b.leaf(shared(channels, g.kernelWidth * g.kernelHeight));
    const x = b.leaf(perSample(channels, g.width, g.height));
    const shape = perSample(channels, g.outWidth, g.outHeight);
    return bilinear(b.graph, 'depthwise', { mode: 2, settings: { ...g } }, [w, x], shape);
  },
  scores: (b) => {
    const [heads, own, keys, queries] = [b.size(3), b.size(3), b.size(), b.size()];
    const [k, q] = [b.leaf(perSample(heads * own, keys)), b.leaf(perSample(heads * own, queries))];
    return bilinear(b.graph, 'heads', { mode: 1 }, [k, q], perSample(keys, heads, queries));
  },
  'use of scores': (b) => {
    const [heads, own, keys, queries] = [b.size(3), b.size(3), b.size(), b.size()];
    const [v, s] = [b.leaf(perSample(heads * own, keys)), b.leaf(perSample(keys, heads, queries))];
    return bilinear(b.graph, 'heads', { mode: 2 }, [v, s], perSample(heads * own, queries));
  },
  ...Object.fromEntries(
    (['tanh', 'sigmoid', 'softplus', 'gelu', 'silu', 'exp'] as const).map((name): [string, Make] => smooth(name)),
  ),
  ...Object.fromEntries((['relu', 'leakyRelu'] as const).map((name): [string, Make] => cornered(name))),
  reciprocalRoot: (b) =>
    elementwise(
      b.graph,
      'reciprocalRoot',
      b.leaf(perSample(b.size()), () => b.random.uniform()),
      { epsilon: 0.5 },
    ),
  multiply: (b) => {
    const x = b.tensor();
    return multiply(b.graph, multiply(b.graph, x, x), b.leaf(x.shape));
  },
  'rows by numbers': (b) => {
    const x = b.tensor();
    return scaleOver(b.graph, 'columns', b.leaf(sourceShape(x.shape, 'columns')), x);
  },
  'columns by numbers': (b) => {
    const x = b.tensor();
    return scaleColumns(b.graph, b.leaf(sourceShape(x.shape, 'rows')), x);
  },
  'dots of columns': (b) => {
    const x = b.tensor();
    return columnDots(b.graph, x, b.leaf(x.shape));
  },
  ...Object.fromEntries(
    OVER.flatMap((over): [string, Make][] => [
      [
        `spread over ${over}`,
        (b) => {
          const shape = perSample(b.size(), b.size(), b.size());
          return spread(b.graph, b.leaf(sourceShape(shape, over)), over, shape);
        },
      ],
      [`sum over ${over}`, (b) => gather(b.graph, b.tensor(), over)],
      [`mean over ${over}`, (b) => gather(b.graph, b.tensor(), over, true)],
    ]),
  ),
  softmax: (b) => softmax(b.graph, b.tensor()),
  logSumExp: (b) => logSumExp(b.graph, b.tensor()),
  ...Object.fromEntries(
    (['columns', 'rows'] as const).flatMap((over) =>
      [true, false].map((centered): [string, Make] => [
        `${centered ? 'centered' : 'uncentered'} norm over ${over}`,
        (b) => normalize(b.graph, b.tensor(), { over, centered, epsilon: 0.1 }).y,
      ]),
    ),
  ),
  reshape: (b) => {
    const x = b.leaf(perSample(b.size(), 2, 3));
    return reshape(b.graph, x, [x.shape.dims[0], 6]);
  },
  flatten: (b) => flatten(b.graph, b.tensor()),
  unflatten: (b) => {
    const dims = [b.size(), b.size(), b.size()];
    return unflatten(b.graph, b.leaf(perSample(numbersEach(perSample(...dims)))), dims);
  },
  rows: (b) => {
    const x = b.tensor();
    const first = b.random.integer(x.shape.dims[0]);
    return rows(b.graph, x, first, 1 + b.random.integer(x.shape.dims[0] - first));
  },
  place: (b) => {
    const x = b.tensor();
    return place(b.graph, x, b.random.integer(3), x.shape.dims[0] + 3);
  },
  'columns by index': (b) => {
    const words = b.size();
    const ids = b.fixed(perSample(1, b.size()), () => b.random.integer(words));
    return columnsAt(b.graph, b.leaf(shared(b.size(), words)), ids);
  },
  maximum: (b) => {
    const g = b.geometry(false);
    // No two within a difference's reach of each other.
    const x = perSample(b.size(3), g.width, g.height);
    const values = Array.from({ length: numbersOf(x, b.count) }, (_, k) => k / 8);
    const order = Int32Array.from(values, (_, k) => k);
    b.random.shuffle(order);
    let next = 0;
    return maxima(
      b.graph,
      b.leaf(x, () => values[order[next++]]),
      g,
    );
  },
  'hidden keys': (b) => {
    const [keys, heads, queries] = [b.size(), b.size(3), b.size()];
    const ids = b.fixed(perSample(1, keys), () => b.random.integer(2));
    const scores = b.leaf(perSample(keys, heads, queries));
    const sight = { causal: b.random.integer(2) === 1, keys: b.random.integer(2) === 1 ? ids : null, padding: 0 };
    // Beside others, so that what is hidden can be large.
    return softmax(b.graph, hideKeys(b.graph, scores, sight));
  },
};

/** The case of that name. */
export function makeCase(name: string, random: RandomStream, count?: number): Case {
  const b = new CaseBuilder(random, count);
  const node = CASES[name](b);
  return { graph: b.graph, node, along: b.along, values: b.values, count: b.count };
}
