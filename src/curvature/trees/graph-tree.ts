/**
 * The structural tree of a network of layers: layer → output channel → input patch. Channels stand by the likeness of
 * their errors, the inputs of a channel (its patches, pixel by pixel and channel by channel) by that of what they see:
 * Gram distances of K-FAC's factors Γ and A by one drawn vector a sample. Blocks without factors keep their order.
 */
import type { Matrix } from '../../dense/matrix.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { sumGraphFactors, trainedBlocks, type GraphFactors } from '../kronecker/graph-factors.js';
import { bisectionOrder, unitTree, type OrderedLayer } from './unit-tree.js';

/**
 * A tree over what is trained of θ; weights that no sample uses, by the factors, are isolated in front. One forward and
 * one backward pass of every sample. Same tree for any team. Throws NonFiniteError, AbortedError.
 */
export async function graphTree(
  model: GraphModel,
  { leafSize, seed }: { readonly leafSize: number; readonly seed: number },
  control: TeamControl,
): Promise<ClusterTree> {
  const walk = { model, sampling: { draws: 1, seed }, blas: control.team.blas, team: control.team };
  const { factors } = sumGraphFactors(walk, 'expand');
  const blocks = trainedBlocks(model);
  const layers: OrderedLayer[] = [];
  for (const [k, { offset, width, outputs }] of blocks.entries()) {
    const { input, output } = factors[k];
    const isPlain = output.kind === 'diagonal';
    layers.push({
      offset,
      width,
      units: isPlain ? inOrder(outputs) : await bisectionOrder(gramSource(output.matrix), 'gram', seed, control),
      inputs: isPlain ? inOrder(width) : await bisectionOrder(gramSource(input), 'gram', seed, control),
    });
  }
  const diagonal = (out: Float64Array): void => {
    for (const own of factors) fillDiagonal(own, out);
  };
  return unitTree(layers, { size: model.network.trained, diagonal }, leafSize);
}

const inOrder = (size: number): Int32Array => Int32Array.from({ length: size }, (_, i) => i);

/** The entries of a small symmetric matrix. */
function gramSource({ data, rows }: Matrix): EntrySource {
  return {
    size: rows,
    entries: (is, js, out) => {
      for (let b = 0; b < js.length; b++)
        for (let a = 0; a < is.length; a++) out.data[out.offset + a + b * out.ld] = data[is[a] + js[b] * rows];
    },
    diagonal: (out) => {
      for (let i = 0; i < rows; i++) out[i] = data[i * (rows + 1)];
    },
  };
}

/** diag(A ⊗ Γ). */
function fillDiagonal({ offset, width, outputs, input, output }: GraphFactors, out: Float64Array): void {
  for (let p = 0; p < outputs; p++) {
    const own = output.kind === 'diagonal' ? output.values[p] : output.matrix.data[p * (outputs + 1)];
    for (let q = 0; q < width; q++) out[offset + p * width + q] = own * input.data[q * (width + 1)];
  }
}
