/**
 * Large arrays in large pages.
 * The system commits memory page by page, as it is first touched: some microseconds for each 4 KB, on virtual machines
 * up to twenty, so that a gigabyte takes seconds. Linux gives 2 MB at a time where it is asked to (transparent huge
 * pages): a tenth of that time or less, and products find their addresses faster. What is not asked for stays as it is
 * there.
 */
import { PLATFORM } from '../core/environment.js';
import type { FloatArray } from '../core/floats.js';
import { arrayAddress, processFunction, type NativeFunction } from '../native/koffi.js';

/** Smaller arrays are not worth a call, and would not fill a page. */
const LEAST_BYTES = 2 ** 23;
/** The largest page size of the systems there are: what is advised must begin at a page. */
const PAGE = 2 ** 16;
/** MADV_HUGEPAGE of linux/mman.h. */
const HUGE_PAGES = 14;

let advise: NativeFunction | undefined;

/**
 * Asks the system to keep a new array in large pages; returns the array. For arrays that are going to be written whole:
 * one that is touched here and there would take more memory. Nothing happens to small ones, on other systems than
 * Linux, and with the portable backend.
 */
export function inLargePages<A extends FloatArray | Int32Array>(array: A): A {
  if (array.byteLength < LEAST_BYTES || PLATFORM !== 'linux') return array;
  advise ??= processFunction('madvise', 'int', ['int64', 'int64', 'int']);
  if (advise === undefined) return array;
  const address = arrayAddress(array);
  const begin = Math.ceil(address / PAGE) * PAGE;
  const end = Math.floor((address + array.byteLength) / PAGE) * PAGE;
  // Where the system refuses, nothing has changed.
  advise(begin, end - begin, HUGE_PAGES);
  return array;
}
