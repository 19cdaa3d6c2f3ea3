/**
 * Ranges of parameters that belong together: a network's layers and its units.
 */
import type { Network } from './network.js';

/** Range k is ranges[k] … ranges[k + 1] − 1; the last entry is N: 0 = ranges[0] < ranges[1] < … = N. */
export type Ranges = Int32Array;
/** One range for each layer. */
export const layerRanges = ({ layers, parameters }: Network): Ranges =>
  Int32Array.from([...layers.map(({ offset }) => offset), parameters]);
/** One range for each unit: its weights and its bias. */
export const unitRanges = ({ layers, parameters }: Network): Ranges =>
  Int32Array.from([
    ...layers.flatMap(({ offset, width, outputs }) => Array.from({ length: outputs }, (_, p) => offset + p * width)),
    parameters,
  ]);
