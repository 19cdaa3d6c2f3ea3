/**
 * An array of rank 1 or 2 from a file, .npy or HDF5: what its name says, else its first bytes.
 */
import type { RunControl } from '../core/context.js';
import type { Precision } from '../core/floats.js';
import { HDF5_SIGNATURE, startsWith } from './foreign-file.js';
import { isHdf5 } from './hdf5-path.js';
import { readHdf5Ordered } from './hdf5-read.js';
import { withInputFile } from './input-file.js';
import { readNpyOrdered, type OrderedArray } from './npy.js';

/** Whether a file is of HDF5. Throws FileAccessError, AbortedError. */
export async function holdsHdf5(path: string, control: RunControl): Promise<boolean> {
  if (isHdf5(path)) return true;
  if (/\.npy$/i.test(path)) return false;
  return startsWith(await withInputFile(path, control, (file) => file.head(HDF5_SIGNATURE.length)), HDF5_SIGNATURE);
}

/** The array in the order asked for; `precision` converts on the way. Throws as readNpyOrdered, readHdf5Ordered do. */
export async function readArrayOrdered(
  path: string,
  order: 'C' | 'F',
  precision: Precision | undefined,
  control: RunControl,
): Promise<OrderedArray> {
  return (await holdsHdf5(path, control))
    ? readHdf5Ordered(path, { order, precision }, control)
    : readNpyOrdered(path, order, precision, control);
}
