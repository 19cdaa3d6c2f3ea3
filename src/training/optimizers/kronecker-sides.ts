/**
 * The Kronecker factors of a network's layers as optimizers keep them: moving averages of A = E āāᵀ and Γ = E δδᵀ (δ of
 * drawn signs) or of GGᵀ and GᵀG, and their eigenbases. Each layer has two sides, its inputs (A) and its outputs (Γ):
 *
 *   dense     the factor, its eigenvectors and eigenvalues
 *   diagonal  the factor's diagonal: where it is diagonal by construction (turned inputs; the outputs of a loss that
 *             is a sum over them), where the side is too large or has one unit, where the layer has no factors
 */
import type { FloatArray } from '../../core/floats.js';
import { hasFactors, type LayerBlock, type ParameterLayout } from '../../network/parameter-layout.js';
import type { MomentShape } from '../device/moment-steps.js';
import type { Objective } from '../objective/objective.js';
import type { MomentTask } from '../objective/tasks.js';
import type { LayerBasis } from '../objective/turn.js';
import { spanOf, vectorNumbers, type Span } from '../objective/workspace.js';
import type { FactorSubject } from '../optimizer.js';

/** What the factors are made of. */
export type Statistics = 'factors' | 'gradients';

/** How sides are kept. */
export interface SidesOptions {
  readonly statistics: Statistics;
  /** Larger sides are diagonal. */
  readonly largestSide: number;
  /** Whether diagonals and eigenvalues are asked for, and not the eigenvectors alone. */
  readonly values: boolean;
}

/** How a side of a layer is kept. */
export interface SideShape {
  readonly layer: number;
  readonly of: 'input' | 'output';
  readonly size: number;
  readonly dense: boolean;
}

/** One side of a layer. */
export interface Side extends SideShape {
  /** size × size, or the diagonal; null where nobody asks for it. */
  readonly factor: FloatArray | null;
  readonly vectors: FloatArray | null;
  /** Eigenvalues, ascending; of a diagonal side the diagonal. */
  readonly values: FloatArray | null;
}

const OF_INPUT = { factors: 'inputs', gradients: 'gradientRows' } as const;
const OF_OUTPUT = { factors: 'errors', gradients: 'gradientColumns' } as const;

const sizes = ({ width, outputs }: LayerBlock): readonly (readonly ['input' | 'output', number])[] => [
  ['input', width],
  ['output', outputs],
];

/** Numbers of the objective's memory that the sides take, at most. */
export const sidesSpare = ({ layers }: ParameterLayout, { largestSide, values }: SidesOptions): number =>
  layers
    .flatMap((layer) =>
      sizes(layer).map(([, size]) => {
        if (hasFactors(layer) && isDense(size, largestSide))
          return 2 * vectorNumbers(size * size) + vectorNumbers(size);
        return values ? vectorNumbers(size) : 0;
      }),
    )
    .reduce((sum, numbers) => sum + numbers, 0);

/** The sides of all layers, inputs and outputs. */
export function sideShapes(
  subject: FactorSubject,
  { statistics, largestSide }: Pick<SidesOptions, 'statistics' | 'largestSide'>,
): (readonly [SideShape, SideShape])[] {
  const { network, rotatedInputs, diagonalOutputs } = subject;
  const last = network.layers.length - 1;
  const byConstruction = (layer: number, of: 'input' | 'output'): boolean =>
    of === 'input' ? layer === 0 && rotatedInputs : layer === last && statistics === 'factors' && diagonalOutputs;
  return network.layers.map((one, layer) => {
    const [input, output] = sizes(one).map(([of, size]): SideShape => {
      const dense = hasFactors(one) && isDense(size, largestSide) && !byConstruction(layer, of);
      return { layer, of, size, dense };
    });
    return [input, output];
  });
}

/** Which moments of a side its statistics are. */
export const momentOf = (of: SideShape['of'], statistics: Statistics): MomentTask['of'] =>
  (of === 'input' ? OF_INPUT : OF_OUTPUT)[statistics];

/** The moments that are asked for of sides: of those that are kept. */
export const momentsOf = (
  sides: readonly (readonly [SideShape, SideShape])[],
  { statistics, values }: Pick<SidesOptions, 'statistics' | 'values'>,
): MomentShape[] =>
  sides
    .flat()
    .filter(({ dense }) => dense || values)
    .map(({ layer, of, dense }) => ({ layer, of: momentOf(of, statistics), diagonal: !dense }));

const isDense = (size: number, largestSide: number): boolean => size > 1 && size <= largestSide;

/** The factors and eigenbases of all layers. */
export class KroneckerSides {
  /** Input and output of each layer. */
  readonly sides: readonly (readonly [Side, Side])[];
  readonly #objective: Objective;
  readonly #options: SidesOptions;

  constructor(objective: Objective, options: SidesOptions) {
    this.#objective = objective;
    this.#options = options;
    const take = (asked: boolean, length: number): FloatArray | null => (asked ? objective.take(length) : null);
    this.sides = sideShapes(objective, options).map((shapes) => {
      const [input, output] = shapes.map((shape): Side => ({
        ...shape,
        factor: take(shape.dense, shape.size ** 2),
        vectors: take(shape.dense, shape.size ** 2),
        values: take(shape.dense || options.values, shape.size),
      }));
      return [input, output] as const;
    });
  }

  get #all(): readonly Side[] {
    return this.sides.flat();
  }

  /** What a checkpoint keeps of them. */
  arrays(): Record<string, FloatArray> {
    return arraysOf(this.#all);
  }

  /** The layer's basis, where it has one; null where both sides are the identity. */
  basis(layer: number): LayerBasis | null {
    const [input, output] = this.sides[layer].map(({ vectors }): Span | null => vectors && spanOf(vectors));
    return input === null && output === null ? null : { input, output };
  }

  /**
   * Takes the batch's first samples into the averages, factor ← keep·factor + (1 − keep)·new. The batch must have been
   * evaluated. Where factors are made of drawn errors: 2nN flops for the draw, and n·size² a side.
   */
  update(keep: number, step: number, samples: number): void {
    const { statistics } = this.#options;
    const wanted = this.#all.filter(({ dense, values }) => dense || values !== null);
    const tasks = wanted.map(({ layer, of, dense, factor, values }) => {
      const out = (dense ? factor : values)!;
      if (keep === 0) out.fill(0);
      return {
        layer,
        of: momentOf(of, statistics),
        out,
        diagonal: !dense,
      };
    });
    if (tasks.length === 0) return;
    const { count } = this.#objective;
    if (statistics === 'factors' && wanted.some(({ of }) => of === 'output'))
      this.#objective.draw(step, Math.min(samples, count));
    this.#objective.moments(tasks, keep, Math.min(samples, count));
  }

  /**
   * New eigenbases of all dense sides; returns the layers (from 0) one of whose sides has none: their dense sides have
   * the identity and eigenvalues of one then.
   */
  rebase(): ReadonlySet<number> {
    const dense = this.#all.filter((side) => side.dense).sort((a, b) => b.size - a.size);
    if (dense.length > 0)
      this.#objective.bases(
        dense.map(({ size, factor, vectors, values }) => ({
          size,
          factor: spanOf(factor!),
          vectors: spanOf(vectors!),
          values: spanOf(values!),
        })),
      );
    const failed = new Set(dense.filter(({ values }) => Number.isNaN(values![0])).map(({ layer }) => layer));
    for (const side of dense) if (failed.has(side.layer)) setIdentity(side);
    return failed;
  }
}

/** What a checkpoint keeps of sides. */
export function arraysOf(sides: readonly Side[]): Record<string, FloatArray> {
  const kept: Record<string, FloatArray> = {};
  for (const { layer, of, factor, vectors, values } of sides) {
    if (factor !== null) kept[`${of} factor ${layer + 1}`] = factor;
    if (vectors !== null) kept[`${of} basis ${layer + 1}`] = vectors;
    if (values !== null) kept[`${of} values ${layer + 1}`] = values;
  }
  return kept;
}

/** A side without an eigenbasis: the identity, and eigenvalues of one. */
export function setIdentity({ size, vectors, values }: Side): void {
  vectors!.fill(0);
  for (let k = 0; k < size; k++) vectors![k * (size + 1)] = 1;
  values!.fill(1);
}

/** "layer 2", "layers 2, 3", counted from 1. */
export const layersText = (layers: Iterable<number>): string => {
  const numbers = [...layers].map((layer) => layer + 1).sort((a, b) => a - b);
  return `${numbers.length === 1 ? 'layer' : 'layers'} ${numbers.join(', ')}`;
};
