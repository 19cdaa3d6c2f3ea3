/**
 * What stands for svgdom in a browser: the page's own document.
 */
import { HmatrixError } from '../../core/errors.js';

/** The page. Throws HmatrixError in a worker, which has no document. */
export function createSVGWindow(): { readonly document: object } {
  const { document } = globalThis as { readonly document?: object | undefined };
  if (document === undefined)
    throw new HmatrixError(
      'platform',
      "In a browser pictures are drawn by the page's own thread: a worker has no page.",
    );
  return { document };
}
