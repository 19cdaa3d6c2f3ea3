/**
 * y = (x − m(x))·r(x), r = 1/√(m((x − m)²) + ε), m the mean over the columns of each row (batch norm: channels over
 * samples and pixels) or over the rows of each column (layer norm); without centering y = x/√(m(x²) + ε) (RMS norm).
 * With
 *
 *   N(y, r, v) = r∘(v − m(v) − y∘m(y∘v)),  uncentered without m(v),
 *
 * the derivative of y along v is N(y, r, v), which is its own adjoint in v; r has −r²∘m(y∘v). (S. Ioffe, C. Szegedy,
 * ICML 2015; J. L. Ba et al., arXiv 1607.06450; B. Zhang, R. Sennrich, NeurIPS 2019.)
 */
import type { FloatArray } from '../../core/floats.js';
import type { Graph } from '../graph.js';
import type { Attributes, Node } from '../node.js';
import type { Machine, Primitive } from '../primitive.js';
import { columnsOf, rowsOf, type Shape } from '../shape.js';
import { bilinear } from './bilinear.js';
import { multiply } from './elementwise.js';
import { gather, sourceShape, spread } from './spread.js';
import { scaled, sum, sumOf } from './sum.js';

/** What a normalization goes over. */
export interface NormalizeSettings {
  /** 'columns': statistics of each row; 'rows': of each column. */
  readonly over: 'columns' | 'rows';
  readonly centered: boolean;
  readonly epsilon: number;
}

const settingsOf = (attributes: Attributes): NormalizeSettings => attributes as unknown as NormalizeSettings;

/** y and r of x. */
export function normalize(
  graph: Graph,
  x: Node,
  { over, centered, epsilon }: NormalizeSettings,
): { readonly y: Node; readonly reciprocalDeviation: Node } {
  const settings = { over, centered, epsilon };
  const r = graph.add('reciprocalDeviation', [x], settings, sourceShape(x.shape, over));
  return { y: graph.add('normalize', [x, r], settings, x.shape), reciprocalDeviation: r };
}

/** a∘x with a number for each row or column: of shape `sourceShape(x, over)`. */
export function scaleOver(graph: Graph, over: 'columns' | 'rows', a: Node, x: Node): Node {
  return bilinear(graph, over === 'columns' ? 'rows' : 'columns', { mode: 2 }, [a, x], x.shape);
}

const tangentOf = (graph: Graph, [y, r, v]: readonly [Node, Node, Node], attributes: Attributes): Node =>
  graph.add('normalizeTangent', [y, r, v], attributes, v.shape);

/** Numbers of a block of columns, about. */
const BLOCK = 8192;

/** Columns of a block. */
const blockColumns = (rows: number): number => Math.max(1, Math.floor(BLOCK / rows));

/** Means over the rows or columns, and what is done with numbers of each. */
class Statistics {
  readonly #machine: Machine;
  readonly #over: 'columns' | 'rows';
  readonly #rows: number;
  readonly #cols: number;

  constructor(machine: Machine, shape: Shape, over: 'columns' | 'rows') {
    this.#machine = machine;
    this.#over = over;
    this.#rows = rowsOf(shape);
    this.#cols = columnsOf(shape, machine.count);
  }

  /** How many there are. */
  get size(): number {
    return this.#over === 'columns' ? this.#rows : this.#cols;
  }

  /** The k-th array of so many numbers in scratch memory. */
  scratch(k: number): FloatArray {
    return this.#machine.part(this.#machine.scratch + k * this.size, this.size);
  }

  /** out ← α·m(x). */
  mean(alpha: number, x: FloatArray, out: FloatArray): FloatArray {
    const { tensors } = this.#machine;
    if (this.#over === 'columns') tensors.rowSums(this.#rows, this.#cols, alpha / this.#cols, x, 0, out);
    else tensors.columnSums(this.#rows, this.#cols, alpha / this.#rows, x, 0, out);
    return out;
  }

  /** out ← α·m(x∘y). */
  meanProduct(alpha: number, [x, y]: readonly [FloatArray, FloatArray], out: FloatArray): FloatArray {
    const { tensors } = this.#machine;
    if (this.#over === 'columns') tensors.rowDots(this.#rows, this.#cols, alpha / this.#cols, x, y, 0, out);
    else tensors.columnDots(this.#rows, this.#cols, alpha / this.#rows, x, y, 0, out);
    return out;
  }

  /**
   * out ← m((x − m)²), of differences, so that nothing is lost where the mean is large; `shift`: −m. By blocks of
   * columns that stay in the cache.
   */
  variance(x: FloatArray, shift: FloatArray, out: FloatArray): void {
    const { tensors } = this.#machine;
    const rows = this.#rows;
    const ones = this.scratch(1).fill(1);
    const most = blockColumns(rows);
    const byRow = this.#over === 'columns';
    for (let first = 0; first < this.#cols; first += most) {
      const cols = Math.min(most, this.#cols - first);
      const from = this.#machine.part(this.#placeOf(x) + first * rows, cols * rows);
      const difference = this.#machine.part(this.#machine.scratch + 2 * this.size, cols * rows);
      if (byRow) {
        tensors.combineRows(rows, cols, ones, from, null, null, shift, 0, difference);
        tensors.rowDots(rows, cols, 1 / this.#cols, difference, difference, first === 0 ? 0 : 1, out);
      } else {
        const part = (array: FloatArray): FloatArray => this.#machine.part(this.#placeOf(array) + first, cols);
        tensors.combineColumns(rows, cols, part(ones), from, null, null, part(shift), 0, difference);
        tensors.columnDots(rows, cols, 1 / rows, difference, difference, 0, part(out));
      }
    }
  }

  #placeOf({ byteOffset, BYTES_PER_ELEMENT }: FloatArray): number {
    return byteOffset / BYTES_PER_ELEMENT;
  }

  /** y ← a∘x + b∘z + c. */
  combine(
    [a, x]: readonly [FloatArray, FloatArray],
    [b, z]: readonly [FloatArray, FloatArray] | readonly [null, null],
    c: FloatArray | null,
    y: FloatArray,
  ): void {
    const { tensors } = this.#machine;
    if (this.#over === 'columns') tensors.combineRows(this.#rows, this.#cols, a, x, b, z, c, 0, y);
    else tensors.combineColumns(this.#rows, this.#cols, a, x, b, z, c, 0, y);
  }
}

/** a ← a∘b. */
function timesInPlace(n: number, b: FloatArray, a: FloatArray): FloatArray {
  for (let i = 0; i < n; i++) a[i] *= b[i];
  return a;
}

const statisticNumbers = (node: Node, samples: number): number => {
  const shape = node.op === 'reciprocalDeviation' ? node.inputs[0].shape : node.shape;
  return settingsOf(node.attributes).over === 'columns' ? rowsOf(shape) : columnsOf(shape, samples);
};

/** The primitive r; only y's derivative, which counts it in, uses it, and derivatives of that. */
export const RECIPROCAL_DEVIATION: Primitive = {
  pushforward: (graph, node, [tangent]) => {
    if (tangent === null) return null;
    const { over } = settingsOf(node.attributes);
    const y = graph.add('normalize', [node.inputs[0], node], node.attributes, node.inputs[0].shape);
    const mean = gather(graph, multiply(graph, y, tangent), over, true);
    return scaled(graph, -1, multiply(graph, multiply(graph, node, node), mean));
  },
  pullback: () => null,
  run: (machine, node) => {
    const { over, centered, epsilon } = settingsOf(node.attributes);
    const [input] = node.inputs;
    const x = machine.array(input);
    const statistics = new Statistics(machine, input.shape, over);
    const r = machine.array(node);
    const n = statistics.size;
    if (!centered) statistics.meanProduct(1, [x, x], r);
    else {
      statistics.variance(x, statistics.mean(-1, x, statistics.scratch(0)), r);
    }
    for (let i = 0; i < n; i++) r[i] = 1 / Math.sqrt(r[i] + epsilon);
  },
  scratch: (node, samples) => {
    const { shape } = node.inputs[0];
    return 2 * statisticNumbers(node, samples) + rowsOf(shape) * blockColumns(rowsOf(shape));
  },
};

/** The primitive y of (x, r). */
export const NORMALIZE: Primitive = {
  pushforward: (graph, node, [tangent]) =>
    tangent && tangentOf(graph, [node, node.inputs[1], tangent], node.attributes),
  pullback: (graph, node, cotangent, k) =>
    k === 0 ? tangentOf(graph, [node, node.inputs[1], cotangent], node.attributes) : null,
  inPlace: 0,
  run: (machine, node) => {
    const { over, centered } = settingsOf(node.attributes);
    const [x, r] = node.inputs.map((input) => machine.array(input));
    const statistics = new Statistics(machine, node.shape, over);
    const shift = centered ? timesInPlace(statistics.size, r, statistics.mean(-1, x, statistics.scratch(0))) : null;
    statistics.combine([r, x], [null, null], shift, machine.array(node));
  },
  scratch: statisticNumbers,
};

/** The primitive N of (y, r, v). */
export const NORMALIZE_TANGENT: Primitive = {
  pushforward: (graph, { inputs: [y, r, v], attributes }, [ofY, ofR, ofV]) => {
    const { over } = settingsOf(attributes);
    const mean = (a: Node, b: Node): Node => gather(graph, multiply(graph, a, b), over, true);
    const parts: (Node | null)[] = [
      ofV && tangentOf(graph, [y, r, ofV], attributes),
      ofR && tangentOf(graph, [y, ofR, v], attributes),
    ];
    if (ofY !== null) {
      const both = sum(graph, [
        scaleOver(graph, over, mean(y, v), ofY),
        multiply(graph, y, spread(graph, mean(ofY, v), over, v.shape)),
      ]);
      parts.push(scaled(graph, -1, scaleOver(graph, over, r, both)));
    }
    return sumOf(graph, parts);
  },
  pullback: (graph, { inputs: [y, r], attributes }, cotangent, k) => {
    if (k !== 2) graph.fail('normalizeTangent', 'its derivatives are known forward, and along v in reverse.');
    return tangentOf(graph, [y, r, cotangent], attributes);
  },
  inPlace: 2,
  run: (machine, node) => {
    const { over, centered } = settingsOf(node.attributes);
    const [y, r, v] = node.inputs.map((input) => machine.array(input));
    const statistics = new Statistics(machine, node.shape, over);
    const n = statistics.size;
    const slope = timesInPlace(n, r, statistics.meanProduct(-1, [y, v], statistics.scratch(0)));
    const shift = centered ? timesInPlace(n, r, statistics.mean(-1, v, statistics.scratch(1))) : null;
    statistics.combine([r, v], [slope, y], shift, machine.array(node));
  },
  scratch: (node, samples) => 2 * statisticNumbers(node, samples),
};
