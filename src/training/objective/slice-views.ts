/**
 * The arrays of one slice, layer by layer, as the views that BLAS and the kernels take: made once for each slice and
 * kept, so that a step makes none.
 */
import type { FloatArray } from '../../core/floats.js';
import { block, view, type Matrix } from '../../dense/matrix.js';
import { layerWeights, type Layer } from '../../network/network.js';
import type { SliceCode } from './code.js';
import type { CodeSpans, Span, SpanArrays, Workspace } from './workspace.js';

/** A contiguous rows × count part of an array, as a matrix and as an array. */
export interface Part {
  readonly matrix: Matrix;
  readonly array: FloatArray;
}

/** One layer of a slice. */
export interface SliceLayer {
  readonly layer: Layer;
  /** Ā_{ℓ−1}. */
  readonly inputs: Matrix;
  /** Where Z_ℓ, then A_ℓ stands: in the next layer's inputs, in the code's outputs, or in the output. */
  readonly z: Matrix;
  readonly zArray: FloatArray;
  readonly slopes: Part | null;
  readonly errors: Part;
  readonly tangents: Part | null;
  readonly second: Part | null;
  readonly kept: { readonly z: Part; readonly a: Part } | null;
}

/** All layers of a slice, and what belongs to the outputs. */
export interface SliceViews {
  readonly first: number;
  readonly count: number;
  readonly layers: readonly SliceLayer[];
  readonly code: SliceCode | null;
  readonly output: Part;
  readonly targets: Part;
  readonly means: Part | null;
  /** Parts of the two turns, one column a sample, rows of the widest layer. */
  readonly turns: readonly [FloatArray, FloatArray];
}

/** Columns first … first + count − 1 of an array of `rows` rows. */
function part(arrays: SpanArrays, span: Span, rows: number, first: number, count: number): Part {
  const array = arrays.of(span).subarray(first * rows, (first + count) * rows);
  return { array, matrix: view(array, 0, rows, count) };
}

/** The views of samples first … first + count − 1. */
export function sliceViews(workspace: Workspace, arrays: SpanArrays, first: number, count: number): SliceViews {
  const { network, layers, capacity, seed } = workspace;
  const r = network.outputs;
  const output = part(arrays, workspace.output, r, first, count);
  const maybe = (span: Span | null, rows: number): Part | null =>
    span === null ? null : part(arrays, span, rows, first, count);
  const followed = (rows: number, ℓ: number): Matrix => {
    const { width } = network.layers[ℓ + 1];
    return block(view(arrays.of(layers[ℓ + 1].inputs), first * width, width, count), 0, 0, rows, count);
  };
  const code = workspace.code === null ? null : codePart(workspace.code);
  function codePart({ layer, weight, size, ...spans }: CodeSpans): SliceCode {
    const of = (span: Span, rows = size): Part => part(arrays, span, rows, first, count);
    return {
      layer,
      weight,
      size,
      seed,
      first,
      count,
      outputs: of(spans.outputs, 2 * size).array,
      slopes: of(spans.slopes).array,
      variances: of(spans.variances).array,
      between: of(spans.between),
      z: followed(size, layer),
    };
  }
  const sliced = network.layers.map((layer, ℓ): SliceLayer => {
    const { width, outputs } = layer;
    const spans = layers[ℓ];
    const z =
      ℓ === code?.layer
        ? view(code.outputs, 0, outputs, count)
        : network.layers[ℓ + 1] === undefined
          ? output.matrix
          : followed(outputs, ℓ);
    return {
      layer,
      inputs: view(arrays.of(spans.inputs), first * width, width, count),
      z,
      zArray: z.data.subarray(z.offset),
      slopes: maybe(spans.slopes, outputs),
      errors: part(arrays, spans.errors, outputs, first, count),
      tangents: maybe(spans.tangents, outputs),
      second: maybe(spans.second, outputs),
      kept:
        spans.kept === null
          ? null
          : {
              z: part(arrays, spans.kept.z, outputs, first, count),
              a: part(arrays, spans.kept.a, outputs, first, count),
            },
    };
  });
  const widest = workspace.turns[0].length / capacity;
  const turn = (k: 0 | 1): FloatArray =>
    arrays.of(workspace.turns[k]).subarray(first * widest, (first + count) * widest);
  return {
    first,
    count,
    layers: sliced,
    code,
    output,
    targets: part(arrays, workspace.targets, r, first, count),
    means: maybe(workspace.means, r),
    turns: [turn(0), turn(1)],
  };
}

/** The weights of every layer in a vector laid out like θ: W̄ᵀ (width × outputs) and Wᵀ (inputs × outputs). */
export interface WeightViews {
  readonly full: Matrix;
  readonly weights: Matrix;
}

/** Views of all layers of a vector. */
export const weightViews = (workspace: Workspace, vector: FloatArray): WeightViews[] =>
  workspace.network.layers.map((layer) => {
    const full = layerWeights(layer, vector);
    return { full, weights: block(full, 0, 0, layer.inputs, layer.outputs) };
  });
