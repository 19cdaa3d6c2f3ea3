/**
 * What the hierarchical preconditioner takes, in flops and bytes, by sizes alone.
 */
import { isUniform } from '../../../curvature/entries/unit-gram-plan.js';
import { rotatedModelBytes } from '../../../curvature/eigenbasis/model.js';
import type { DataSet } from '../../../network/data-set.js';
import { lossOf, type LossName } from '../../../network/losses/table.js';
import type { Network } from '../../../network/network.js';

/** Network, loss and samples of the curvature. */
export interface CurvatureSize {
  readonly network: Network;
  readonly loss: LossName;
  readonly samples: number;
}

/** Flops. */
export interface HierarchicalCosts {
  /** An iteration of conjugate gradients: a product and the preconditioner. */
  readonly iteration: number;
  /** Compression and factorization. */
  readonly making: number;
}

/** The factorization by default costs as much as so many products, and has at most so many directions. */
const PRODUCTS = 64;
const MOST_DIRECTIONS = 8192;
/** Numbers of an index outside those directions: its block of about 32, and how leaves are rounded. */
const NUMBERS_OUTSIDE = 48;

const productFlops = ({ network: { parameters }, samples }: CurvatureSize): number => 8 * samples * parameters;

/** 8·Σ(width² + outputs²) of the bases and of the last layer's complement. */
function basisBytes({ network: { layers } }: CurvatureSize): number {
  const last = layers[layers.length - 1];
  return 8 * layers.reduce((sum, { width, outputs }) => sum + width ** 2 + outputs ** 2, last.width ** 2);
}

/**
 * Bytes of the matrix by default: bases, blocks on the diagonal, and the |S| directions of largest curvature with
 * |S|³/3 = 64 products of 8nN flops, |S| ≤ 8192.
 */
export function matrixBytes(size: CurvatureSize): number {
  const directions = Math.min(MOST_DIRECTIONS, size.network.parameters, Math.cbrt(3 * PRODUCTS * productFlops(size)));
  return basisBytes(size) + 8 * (directions ** 2 + NUMBERS_OUTSIDE * size.network.parameters);
}

/** Bytes that making it takes at its peak: rotated activations and errors, the matrix, its nested form, its factors. */
export function neededBytes(size: CurvatureSize, share: number | undefined): number {
  const { network, loss, samples } = size;
  const { inputs, outputs, parameters } = network;
  const data = { samples, inputs, outputs } as DataSet;
  const matrix = share === undefined ? matrixBytes(size) : share * 8 * parameters ** 2;
  return rotatedModelBytes({ network, loss, parameters: new Float64Array(0), data }) + 3 * matrix;
}

/**
 * With k columns of errors a sample, |S| directions kept whole, n samples:
 *
 *   iteration = 8nN + 4Σ width·outputs·(width + outputs) + 2|S|²
 *   making    = 4nkN + Σ 9(width³ + outputs³) + n|S|² + |S|³/3, without the last outputs³ but under softmax
 */
export function hierarchicalCosts(size: CurvatureSize, directions: number): HierarchicalCosts {
  const { network, loss, samples } = size;
  const { layers, parameters, outputs: r } = network;
  const columns = isUniform(network, loss) ? Math.min(r, layers[layers.length - 1].inputs) : r;
  let rotation = 0;
  let bases = 0;
  layers.forEach(({ width, outputs }, ℓ) => {
    rotation += 4 * width * outputs * (width + outputs);
    const known = ℓ === layers.length - 1 && !lossOf(loss).softmax;
    bases += 9 * (width ** 3 + (known ? 0 : outputs ** 3));
  });
  return {
    iteration: productFlops(size) + rotation + 2 * directions ** 2,
    making: 4 * samples * columns * parameters + bases + samples * directions ** 2 + directions ** 3 / 3,
  };
}
