/**
 * A Kronecker basis in a file: of each layer its place and its vectors.
 */
import { view, type Matrix } from '../../dense/matrix.js';
import type { ContainerArray, JsonObject } from '../../io/container.js';
import type { Contents, Kept } from '../../io/contents.js';
import type { BasisLayer } from './rotation.js';

/** The layers as the header lists them, and their arrays. */
export function keepBasis(layers: readonly BasisLayer[]): {
  readonly layers: readonly JsonObject[];
  readonly arrays: Kept['arrays'];
} {
  const arrays: Record<string, ContainerArray> = {};
  return {
    layers: layers.map(({ inputVectors, outputVectors, complement, offset, width, outputs, units }, ℓ) => {
      arrays[`inputVectors.${ℓ}`] = inputVectors.data;
      if (outputVectors !== null) arrays[`outputVectors.${ℓ}`] = outputVectors.data;
      if (complement !== null) arrays[`complement.${ℓ}`] = complement.data;
      return {
        offset,
        width,
        outputs,
        directions: inputVectors.cols,
        units,
        outputVectors: outputVectors !== null,
        complement: complement !== null,
      };
    }),
    arrays,
  };
}

/** The layers that the header lists, with their vectors; `size` parameters together. Throws FileFormatError. */
export function restoreBasis(contents: Contents, size: number): readonly BasisLayer[] {
  let end = 0;
  let base = 0;
  const layers = contents.list(contents.header['layers'], 'layers').map((one, ℓ): BasisLayer => {
    const layer = contents.object(one, `layer ${ℓ}`);
    const count = (name: string): number => contents.count(layer[name], `layers[${ℓ}].${name}`);
    const [offset, width, outputs] = [count('offset'), count('width'), count('outputs')];
    const [directions, units] = [count('directions'), count('units')];
    const matrix = (name: string, rows: number, cols: number): Matrix =>
      view(contents.finite(`${name}.${ℓ}`, rows * cols, 'f64'), 0, rows, cols);
    if (offset !== end) contents.refuse(`layer ${ℓ} begins at ${offset}, not at ${end}`);
    if (layer['outputVectors'] !== true && units !== outputs && units !== 0)
      contents.refuse(`layer ${ℓ} has ${units} units without a basis`);
    end += width * outputs;
    const begin = base;
    base += directions * units;
    return {
      offset,
      width,
      outputs,
      units,
      base: begin,
      inputVectors: matrix('inputVectors', width, directions),
      outputVectors: layer['outputVectors'] === true ? matrix('outputVectors', outputs, units) : null,
      complement: layer['complement'] === true ? matrix('complement', width, width) : null,
    };
  });
  if (end !== size) contents.refuse(`the layers have ${end} parameters of ${size}`);
  return layers;
}

/** Numbers of a vector in the basis. */
export const rotatedSize = (layers: readonly BasisLayer[]): number =>
  layers.reduce((sum, { inputVectors, units }) => sum + inputVectors.cols * units, 0);
