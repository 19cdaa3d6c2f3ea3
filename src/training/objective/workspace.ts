/**
 * Where everything that an evaluation works on lies: spans of one linear memory that BLAS, the elementwise kernels and
 * every worker of a team address. All of it is taken before the first step, so that a step allocates nothing.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { RankPlace } from '../../core/sum-tree.js';
import { VectorMemory } from '../../dense/vector-memory.js';
import { exchangeNumbers } from '../../distributed/sample-ranks.js';
import { hasUnitSlope, hasZeroCurvature } from '../../network/activations/table.js';
import { lossOf, type LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';
import type { Code } from './code.js';
import { mostNodes, panelsOf, scratchNumbers } from './group-sums.js';

/** `length` numbers from byte `at` of the memory on. */
export interface Span {
  readonly at: number;
  readonly length: number;
}

/** Where an array of the memory lies. */
export const spanOf = ({ byteOffset, length }: FloatArray): Span => ({ at: byteOffset, length });

/** What one layer keeps of a batch: one sample a column, capacity columns. */
export interface LayerSpans {
  /** Ā_{ℓ−1}, width × capacity, its last row ones where the layer has a bias. */
  readonly inputs: Span;
  /** φ′(Z_ℓ), outputs × capacity; null where it is one. */
  readonly slopes: Span | null;
  /** D_ℓ = ∂loss/∂Z_ℓ. */
  readonly errors: Span;
  /** RZ_ℓ, then RA_ℓ, then the errors of a curvature product (r-pass.ts). */
  readonly tangents: Span | null;
  /** φ″(Z_ℓ)∘(W_{ℓ+1}ᵀ D_{ℓ+1}), which begins as φ″(Z_ℓ): for products with the Hessian; null where φ″ vanishes. */
  readonly second: Span | null;
  /** RZ_ℓ and RA_ℓ of a product with the Hessian, both kept. */
  readonly kept: { readonly z: Span; readonly a: Span } | null;
}

/** What the code keeps of a batch: k numbers a sample, of its outputs 2k. */
export interface CodeSpans extends Code {
  readonly size: number;
  readonly outputs: Span;
  readonly slopes: Span;
  readonly variances: Span;
  readonly between: Span;
}

/** Products with curvature that an objective can make: none, Gauss–Newton, or that and the Hessian. */
export type CurvatureKind = 'none' | 'gauss-newton' | 'hessian';

/** What every worker knows of an objective. It is structured-cloneable. */
export interface Workspace {
  readonly memory: object;
  readonly network: Network;
  readonly loss: LossName;
  readonly precision: Precision;
  /** Most samples of a batch. */
  readonly capacity: number;
  readonly curvature: CurvatureKind;
  /** Dropout's share of hidden units that are zeroed. */
  readonly dropout: number;
  readonly seed: number;
  /** λ of (λ/2)‖W‖² in the loss; weights only. */
  readonly regularization: number;
  readonly parameters: Span;
  readonly gradient: Span;
  readonly layers: readonly LayerSpans[];
  readonly code: CodeSpans | null;
  /** a_L, r × capacity. */
  readonly output: Span;
  readonly targets: Span;
  /** σ(f) or softmax(f): what products with the loss's Hessian need; null for the squared losses. */
  readonly means: Span | null;
  /** Two arrays of the widest layer, taken in turn by passes that keep nothing. */
  readonly turns: readonly [Span, Span];
  /** Of slice s its loss at 2s, and how many samples are right at 2s + 1. */
  readonly results: Float64Array;
  /** Where each worker adds groups of samples. */
  readonly scratch: readonly Span[];
  /** Of several ranks the sums of each of the own nodes: vectors laid out like θ, and panels of moments. */
  readonly parts: readonly Span[];
  readonly momentParts: readonly Span[];
  /** The sum of all ranks' panels. */
  readonly momentSum: Span | null;
  /** Where ranks exchange their sums. */
  readonly exchange: Span | null;
  readonly rank: number;
  readonly ranks: number;
}

/** What an objective is opened with, resolved. */
export interface WorkspaceOptions {
  readonly network: Network;
  readonly loss: LossName;
  readonly precision: Precision;
  readonly capacity: number;
  readonly curvature: CurvatureKind;
  readonly code: Code | null;
  readonly dropout: number;
  readonly seed: number;
  readonly regularization: number;
  /** Numbers that the optimizer will take besides. */
  readonly spare: number;
  readonly results: Float64Array;
  /** Threads that work, the calling one included. */
  readonly workers: number;
  readonly place: RankPlace;
}

/** Numbers of an objective's memory that a vector of `length` takes, with what rounds it up to a line. */
export const vectorNumbers = (length: number): number => length + 16;

/** Bytes of the memory: every span on a cache line, and the kernels' own first pages. */
export function workspaceBytes(options: WorkspaceOptions): number {
  let bytes = 2 * 65536;
  layout(options, (length) => {
    bytes += VectorMemory.bytesOf(length, options.precision);
    return { at: 0, length };
  });
  return bytes + VectorMemory.bytesOf(options.spare, options.precision) + 4096;
}

/** The spans, in the order in which `take` hands them out. */
function layout(
  { network, loss, capacity, curvature, code, workers, place }: WorkspaceOptions,
  take: (length: number) => Span,
): Omit<Workspace, 'memory' | keyof WorkspaceOptions | 'rank' | 'ranks'> & Pick<Workspace, 'code' | 'exchange'> {
  const last = network.layers.length - 1;
  const parameters = take(network.parameters);
  const gradient = take(network.parameters);
  const layers = network.layers.map(({ width, outputs, activation }): LayerSpans => {
    const rows = outputs * capacity;
    const full = curvature === 'hessian';
    return {
      inputs: take(width * capacity),
      slopes: hasUnitSlope(activation) ? null : take(rows),
      errors: take(rows),
      tangents: curvature === 'none' ? null : take(rows),
      second: full && !hasZeroCurvature(activation) ? take(rows) : null,
      kept: full ? { z: take(rows), a: take(rows) } : null,
    };
  });
  const r = network.layers[last].outputs;
  const widest = Math.max(...network.layers.map(({ width, outputs }) => Math.max(width, outputs + 1)));
  const many = (count: number, length: number): Span[] => Array.from({ length: count }, () => take(length));
  const nodes = place.ranks === 1 ? 0 : Math.max(1, mostNodes(capacity, place));
  const moments = place.ranks === 1 || curvature === 'none' ? 0 : momentNumbers(network);
  return {
    parameters,
    gradient,
    layers,
    code: code === null ? null : codeSpans(code, network, capacity, take),
    output: take(r * capacity),
    targets: take(r * capacity),
    means: curvature !== 'none' && lossOf(loss).squared === null ? take(r * capacity) : null,
    turns: [take(widest * capacity), take(widest * capacity)],
    scratch: many(workers, scratchNumbers(network, capacity, curvature !== 'none')),
    parts: many(nodes, network.parameters),
    momentParts: many(moments === 0 ? 0 : nodes, moments),
    momentSum: moments === 0 ? null : take(moments),
    exchange: nodes === 0 ? null : take(exchangeNumbers(network.parameters)),
  };
}

/** Numbers of the panels of all moments. */
const momentNumbers = ({ layers }: Network): number =>
  layers
    .flatMap(({ width, outputs }) => [width, outputs])
    .flatMap((size) => panelsOf(size, false))
    .reduce((sum, { length }) => sum + length, 0);

function codeSpans(code: Code, { layers }: Network, capacity: number, take: (length: number) => Span): CodeSpans {
  const size = layers[code.layer + 1].inputs;
  return {
    ...code,
    size,
    outputs: take(2 * size * capacity),
    slopes: take(size * capacity),
    variances: take(size * capacity),
    between: take(size * capacity),
  };
}

/** The workspace in a memory that has just been opened; rows of ones are set. */
export function layWorkspace(memory: VectorMemory, options: WorkspaceOptions): Workspace {
  const { network, loss, precision, capacity, curvature, dropout, seed, regularization, results, place } = options;
  const spans = layout(options, (length) => spanOf(memory.take(length, precision)));
  network.layers.forEach(({ width, bias }, ℓ) => {
    if (!bias) return;
    const a = memory.at(spans.layers[ℓ].inputs.at, spans.layers[ℓ].inputs.length, precision);
    for (let i = 1; i <= capacity; i++) a[i * width - 1] = 1;
  });
  return {
    memory: memory.memory,
    network,
    loss,
    precision,
    capacity,
    curvature,
    dropout,
    seed,
    regularization,
    results,
    ...place,
    ...spans,
  };
}

/** Opens spans of a workspace as arrays, each once. */
export class SpanArrays {
  readonly #memory: VectorMemory;
  readonly #precision: Precision;
  readonly #known = new Map<number, FloatArray>();

  constructor(memory: VectorMemory, precision: Precision) {
    this.#memory = memory;
    this.#precision = precision;
  }

  of({ at, length }: Span): FloatArray {
    let array = this.#known.get(at);
    if (array?.length !== length) {
      array = this.#memory.at(at, length, this.#precision);
      this.#known.set(at, array);
    }
    return array;
  }
}
