/**
 * What stands for open.ts in a browser, which has no CUDA: none is found.
 */
import { LibraryError } from '../../core/errors.js';
import type { Device } from '../device.js';
import type { FoundCard } from './device.js';

export type { FoundCard };

/** Throws LibraryError. */
export function findCard(): FoundCard {
  throw new LibraryError("A browser has no CUDA: take openDevice('webgpu').");
}

/** There is none to open. */
export const openCuda = (): Device => findCard() as never;
