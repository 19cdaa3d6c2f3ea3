/**
 * Saving matrices and factorizations.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { requireRole } from '../core/kind.js';
import { keptAs, writeKept } from '../operator/file-kind.js';
import { kindHolding, type Saved } from './kinds.js';

/**
 * Writes a matrix or a factorization to `path`, whole or not at all: hierarchical matrices of every format, those in
 * the Kronecker eigenbasis, Kronecker sums, operators of low rank, and what `factor` and `factorKronecker` return, with
 * their matrix. An archive of arrays that numpy.load opens (docs/file-format.md), about as large as what is saved.
 * Progress counts bytes (phase 'write'). Several ranks that have a matrix together all call it, and the first one
 * writes it as one process would. Throws OptionError for anything else, FileAccessError or AbortedError; then `path` is
 * as it was.
 */
export async function save(path: string, saved: Saved, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'save');
  requireControl(control, 'save');
  const kind = kindHolding(saved);
  if (kind === undefined) return requireRole(saved, 'saved', 'save');
  await writeKept(path, keptAs(kind, saved), control);
}
