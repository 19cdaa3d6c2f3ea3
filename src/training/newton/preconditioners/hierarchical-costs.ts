/**
 * What the hierarchical preconditioner takes, in flops and bytes, by sizes alone.
 */
import { isUniform } from '../../../curvature/entries/unit-gram-plan.js';
import { rotatedModelBytes } from '../../../curvature/eigenbasis/model.js';
import type { DataSet } from '../../../network/data-set.js';
import { lossOf, type LossName } from '../../../network/losses/table.js';
import type { Layer, Network } from '../../../network/network.js';

/** Network, loss and samples of the curvature. */
export interface CurvatureSize {
  readonly network: Network;
  readonly loss: LossName;
  readonly samples: number;
}

/** In flops of a product. */
export interface HierarchicalCosts {
  /** An iteration of conjugate gradients: a product and the preconditioner. */
  readonly iteration: number;
  /** Compression and factorization. */
  readonly making: number;
}

/**
 * A flop of the compression, the factorization and a solve counts as so many of a product: in float64, in smaller
 * blocks and with more memory to read, they run about so much slower (784-32-784, one thread).
 */
const WEIGHT = 5;
/** The factorization by default costs as much as so many products, and has at most so many directions. */
const PRODUCTS = 64;
const MOST_DIRECTIONS = 8192;
/** Numbers of a rotated index outside those directions: its block of about 32, and how leaves are rounded. */
const NUMBERS_OUTSIDE = 40;

const productFlops = ({ network: { parameters }, samples }: CurvatureSize): number => 8 * samples * parameters;

/** Columns of errors that a sample has. */
const columnsOf = ({ network, loss }: CurvatureSize): number =>
  isUniform(network, loss)
    ? Math.min(network.outputs, network.layers[network.layers.length - 1].inputs)
    : network.outputs;

/** Rotated layers: directions of the inputs and units, at most; whether the units' basis is made by eigenvectors. */
function rotated(
  size: CurvatureSize,
): { readonly layer: Layer; readonly directions: number; readonly units: number; readonly eigen: boolean }[] {
  const { network, loss, samples } = size;
  const columns = columnsOf(size);
  const known = !lossOf(loss).softmax;
  return network.layers.map((layer, ℓ) => {
    const eigen = !(known && ℓ === network.layers.length - 1);
    return {
      layer,
      directions: Math.min(layer.width, samples),
      units: Math.min(layer.outputs, eigen ? samples * columns : columns),
      eigen,
    };
  });
}

/** Numbers of the bases of all layers: U_A and U_Γ, c·A of the last one. */
const basisNumbers = (size: CurvatureSize): number =>
  rotated(size).reduce(
    (sum, { layer, directions, units }) => sum + layer.width * directions + layer.outputs * units,
    size.network.layers[size.network.layers.length - 1].width ** 2,
  );

/** Rotated indices, at most. */
const rotatedIndices = (size: CurvatureSize): number =>
  rotated(size).reduce((sum, { directions, units }) => sum + directions * units, 0);

/**
 * Bytes of the matrix by default: bases, blocks on the diagonal, and the |S| directions of largest curvature that are
 * factored, 5·|S|³/3 flops, at the price of 64 products of 8nN; |S| ≤ 8192.
 */
export function matrixBytes(size: CurvatureSize): number {
  const most = Math.cbrt((3 * PRODUCTS * productFlops(size)) / WEIGHT);
  const indices = rotatedIndices(size);
  return 8 * (basisNumbers(size) + Math.min(MOST_DIRECTIONS, indices, most) ** 2 + NUMBERS_OUTSIDE * indices);
}

/** Bytes that making it takes at its peak: rotated activations and errors, the matrix, its nested form, its factors. */
export function neededBytes(size: CurvatureSize, share: number | undefined): number {
  const { network, loss, samples } = size;
  const { inputs, outputs, parameters } = network;
  const data = { samples, inputs, outputs } as DataSet;
  const matrix = share === undefined ? matrixBytes(size) : share * 8 * parameters ** 2;
  return rotatedModelBytes({ network, loss, parameters: new Float64Array(0), data }) + 3 * matrix;
}

/** Numbers on a device, at most. */
export interface NumbersThere {
  /** Bases, and what an application has between its products. */
  readonly own: number;
  /** The factors of H̃ + λI, vectors of its solves, and lists of both. */
  readonly core: number;
}

/** The factors of |S| directions have |S|² numbers where the matrix has half of them. */
const FACTORS = 2;
/** Of each rotated index: vectors of a solve, and four lists of places. */
const NUMBERS_EACH = 16;

/** What it takes on a device. */
export function numbersThere(size: CurvatureSize, share: number | undefined): NumbersThere {
  const matrix = share === undefined ? matrixBytes(size) / 8 : share * size.network.parameters ** 2;
  const indices = rotatedIndices(size);
  const between = rotated(size).reduce((sum, { layer, units }) => sum + 2 * layer.width * units, 0);
  const most = indices ** 2 + NUMBERS_OUTSIDE * indices;
  return {
    own: basisNumbers(size) + between + indices,
    core: FACTORS * Math.min(most, matrix) + NUMBERS_EACH * indices,
  };
}

/**
 * With n samples of k columns of errors, q directions and p units of a layer, |S| directions kept whole:
 *
 *   iteration = 8nN + 5·(4Σ width·p·(q + outputs) + 4|S|²)
 *   making    = 5·(4nkN + Σ 9(width³ + outputs³) + n|S|² + |S|³/3), outputs³ where Γ has to be decomposed
 */
export function hierarchicalCosts(size: CurvatureSize, kept: number): HierarchicalCosts {
  const { network, samples } = size;
  let rotation = 0;
  let bases = 0;
  for (const { layer, directions, units, eigen } of rotated(size)) {
    rotation += 4 * layer.width * units * (directions + layer.outputs);
    bases += 9 * (layer.width ** 3 + (eigen ? layer.outputs ** 3 : 0));
  }
  const errors = 4 * samples * columnsOf(size) * network.parameters;
  return {
    iteration: productFlops(size) + WEIGHT * (rotation + 4 * kept ** 2),
    making: WEIGHT * (errors + bases + samples * kept ** 2 + kept ** 3 / 3),
  };
}
